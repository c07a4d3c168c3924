import { createHash, randomBytes } from "node:crypto"
import { crc32 } from "node:zlib"
import * as Bytes from "effect/Bytes"
import * as Frame from "../../format/store/Frame.ts"
import * as PackFile from "../../format/store/PackFile.ts"
import type { PackReference } from "../../format/store/PageMap.ts"
import * as PageDigest from "../../format/store/PageDigest.ts"

/** A complete pack: its entry for the map, and its bytes. @internal */
export interface BuiltPack {
  readonly reference: PackReference
  readonly parts: ReadonlyArray<Uint8Array>
}

/** The trailer's entry for a frame, without the digests of its pages. */
const FRAME_ENTRY_BYTES = 12

/**
 * A pack in progress. Every frame is sealed under its number, which is used once: a builder makes one pack.
 *
 * @internal
 */
export class PackBuilder {
  readonly #salt: Uint8Array
  readonly #key: PackFile.PackKey | undefined
  readonly #parts: Array<Uint8Array>
  readonly #frames: Array<Frame.Frame> = []
  readonly #digests: Array<Uint8Array> = []
  #bytes = PackFile.HEADER_BYTES
  #pages = 0

  constructor(keyOf: ((salt: Uint8Array) => PackFile.PackKey) | undefined) {
    this.#salt = keyOf === undefined ? new Uint8Array(16) : new Uint8Array(randomBytes(16))
    this.#key = keyOf?.(this.#salt)
    this.#parts = [PackFile.encodeHeader(this.#salt)]
  }

  /** Pages so far: the number of the next page. */
  get pages(): number {
    return this.#pages
  }

  /** Bytes of the pack if it ended here. */
  get bytes(): number {
    const trailer = 4 + this.#frames.length * FRAME_ENTRY_BYTES + this.#pages * PageDigest.BYTES
    return this.#bytes + trailer + PackFile.FOOTER_BYTES
  }

  /** Adds pages of one size, with their digests. Both are copied. */
  add(pages: Uint8Array, pageSize: number, digests: Uint8Array): void {
    const { bytes, coding } = Frame.encode(pages)
    const stored = this.#key === undefined ? bytes.slice() : PackFile.sealFrame(this.#key, this.#frames.length, bytes)
    this.#parts.push(stored)
    this.#frames.push({
      coding,
      pageSize,
      pages: pages.length / pageSize,
      storedBytes: stored.length,
      crc: crc32(stored)
    })
    this.#digests.push(digests.slice())
    this.#bytes += stored.length
    this.#pages += pages.length / pageSize
  }

  finish(place: Pick<PackReference, "number" | "snapshot" | "writer">): BuiltPack {
    const trailer = { frames: this.#frames, digests: Bytes.concat(this.#digests) }
    const end = PackFile.encodeEnd(trailer, place.snapshot, this.#key)
    const footer = end.subarray(end.length - PackFile.FOOTER_BYTES)
    const reference = {
      ...place,
      frames: this.#frames.length,
      pages: this.#pages,
      trailerPosition: this.#bytes,
      trailerBytes: end.length - PackFile.FOOTER_BYTES,
      salt: this.#salt,
      footerDigest: new Uint8Array(createHash("sha256").update(footer).digest())
    }
    return { reference, parts: [...this.#parts, end] }
  }
}
