import * as Effect from "effect/Effect"
import { Buffer } from "node:buffer"
import * as Hex from "effect/encoding/Hex"
import * as Checksum from "../../format/seal/Checksum.ts"
import type * as ImageSeal from "../../format/seal/ImageSeal.ts"
import { Extents } from "../../format/seal/SealedExtents.ts"
import type { RangeChecks } from "../../ram/FileRange.ts"
import * as PageBitmap from "../../ram/PageBitmap.ts"
import * as Integrity from "../Integrity.ts"

/** Bytes examined between two turns of the event loop: a millisecond, or two with SHA-256. */
const PIECE_BYTES = 2 * 1024 * 1024

/**
 * Compares the bytes read from a block with its seal.
 *
 * @internal
 */
export class ExtentChecks {
  readonly extentSize: number
  readonly #path: string
  readonly #block: ImageSeal.SealedBlock
  readonly #extents: Extents
  readonly #digestLength: number

  constructor(options: {
    readonly path: string
    readonly seal: ImageSeal.Seal
    readonly block: ImageSeal.SealedBlock
    readonly present: PageBitmap.PageBitmap
  }) {
    const { block, path, present, seal } = options
    const { algorithm, extentSize } = seal
    const { idstr, pageSize } = block
    this.extentSize = extentSize
    this.#path = path
    this.#block = block
    this.#extents = new Extents({ algorithm, idstr, pagesPerExtent: extentSize / pageSize, bitmap: present })
    this.#digestLength = Checksum.digestLength(algorithm)
  }

  /** `true` if a range consists of whole extents. */
  isWhole(offset: number, length: number): boolean {
    const { extentSize } = this
    const end = offset + length
    return offset % extentSize === 0 && (end % extentSize === 0 || end === this.#block.usedLength)
  }

  /** The extents that a range touches. */
  around(offset: number, length: number): { readonly offset: number; readonly length: number } {
    const { extentSize } = this
    const start = Math.floor(offset / extentSize) * extentSize
    const end = Math.min(Math.ceil((offset + length) / extentSize) * extentSize, this.#block.usedLength)
    return { offset: start, length: end - start }
  }

  /** The damage in one extent, or `undefined` if it matches the seal. */
  damageIn(index: number, data: Uint8Array): Integrity.Damage | undefined {
    const { pageSize } = this.#block
    const expected = this.#digests(index, 1)
    const found = this.#extents.digestOf(index, data, pageSize)
    return Buffer.compare(expected, found) === 0 ? undefined : this.#damage(index, found)
  }

  #damage(index: number, found: Uint8Array): Integrity.Damage {
    const { idstr, pageSize, pagesOffset } = this.#block
    const { first, pages } = this.#extents.range(index)
    const position = pagesOffset + first * pageSize
    const expected = Hex.encode(this.#digests(index, 1))
    return { block: idstr, firstPage: first, pages, position, expected, found: Hex.encode(found) }
  }

  #digests(index: number, count: number): Uint8Array {
    return this.#block.digests.subarray(index * this.#digestLength, (index + count) * this.#digestLength)
  }

  /** The same for who reads the pages elsewhere. */
  readonly forLanes: RangeChecks<Integrity.IntegrityError> = {
    of: (offset, length) => {
      if (!this.isWhole(offset, length)) return undefined
      const { idstr, pageSize } = this.#block
      const { algorithm, bitmap, pagesPerExtent } = this.#extents
      const pages = length / pageSize
      const present = PageBitmap.make(pages)
      present.setRuns(0, bitmap.runs(offset / pageSize, pages))
      const firstExtent = offset / this.extentSize
      const digests = this.#digests(firstExtent, Math.ceil(pages / pagesPerExtent)).slice()
      return { idstr, algorithm, pagesPerExtent, firstExtent, pages, present: present.bytes, digests }
    },
    failure: ([first, ...rest]) =>
      new Integrity.IntegrityError({
        path: this.#path,
        damage: [this.#damage(first.index, first.found), ...rest.map(({ found, index }) => this.#damage(index, found))]
      })
  }

  /** All damage in a range of whole extents. Damaged bytes are cleared, so that they cannot be used. */
  damages(offset: number, data: Uint8Array): Effect.Effect<ReadonlyArray<Integrity.Damage>> {
    return Effect.suspend(() => {
      const all: Array<Integrity.Damage> = []
      const { extentSize } = this
      const step = Math.max(extentSize, PIECE_BYTES)
      const checkFrom = (from: number): Effect.Effect<ReadonlyArray<Integrity.Damage>> => {
        const to = Math.min(from + step, data.length)
        for (let at = from; at < to; at += extentSize) {
          const extent = data.subarray(at, at + extentSize)
          const damage = this.damageIn((offset + at) / extentSize, extent)
          if (damage === undefined) continue
          extent.fill(0)
          all.push(damage)
        }
        return to === data.length
          ? Effect.succeed(all)
          : Effect.andThen(
              Effect.yieldNow,
              Effect.suspend(() => checkFrom(to))
            )
      }
      return checkFrom(0)
    })
  }

  /** Fails if there is any damage. */
  verify(offset: number, data: Uint8Array): Effect.Effect<void, Integrity.IntegrityError> {
    return Effect.flatMap(this.damages(offset, data), ([first, ...rest]) =>
      first === undefined
        ? Effect.void
        : Effect.fail(new Integrity.IntegrityError({ path: this.#path, damage: [first, ...rest] }))
    )
  }
}
