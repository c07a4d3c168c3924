/**
 * The extents of a block: groups of pages that share a digest in the seal of an image.
 *
 * @since 0.1.0
 */
import * as PageRuns from "../../ram/PageRuns.ts"
import type { PageBitmap } from "../../ram/PageBitmap.ts"
import * as Checksum from "./Checksum.ts"

const utf8 = new TextEncoder()

/**
 * The part of a digest's input that does not depend on page contents: the block, the extent, and its present pages.
 *
 * ```text
 *   u8 length │ name │ u64 index of the extent │ one bit a page, page i ↔ byte i >> 3, bit i & 7
 * ```
 */
const preamble = (idstr: string, index: number, present: PageRuns.PageRuns, pages: number): Uint8Array => {
  const name = utf8.encode(idstr)
  const bytes = new Uint8Array(1 + name.length + 8 + Math.ceil(pages / 8))
  bytes[0] = name.length
  bytes.set(name, 1)
  new DataView(bytes.buffer).setBigUint64(1 + name.length, BigInt(index))
  const bits = 1 + name.length + 8
  PageRuns.forEach(present, (first, count) => {
    for (let page = first; page < first + count; page++) {
      const at = bits + (page >> 3)
      bytes[at] = (bytes[at] ?? 0) | (1 << (page & 7))
    }
  })
  return bytes
}

/**
 * The extents of one block: the pages of each extent, and its digest.
 *
 * @see docs/formats/seal.md for what goes into a digest
 * @category models
 * @since 0.1.0
 */
export class Extents {
  readonly algorithm: Checksum.Algorithm
  readonly idstr: string
  readonly pagesPerExtent: number
  readonly bitmap: PageBitmap
  /** The number of the extent that `bitmap` begins with. */
  readonly firstIndex: number
  readonly #gathered: Uint8Array

  constructor(
    options: Pick<Extents, "algorithm" | "idstr" | "pagesPerExtent" | "bitmap"> & Partial<Pick<Extents, "firstIndex">>
  ) {
    this.algorithm = options.algorithm
    this.idstr = options.idstr
    this.pagesPerExtent = options.pagesPerExtent
    this.bitmap = options.bitmap
    this.firstIndex = options.firstIndex ?? 0
    this.#gathered = new Uint8Array(options.pagesPerExtent * Checksum.digestLength(options.algorithm))
  }

  get count(): number {
    return Math.ceil(this.bitmap.pages / this.pagesPerExtent)
  }

  /** The first page of an extent, and its number of pages. */
  range(index: number): { readonly first: number; readonly pages: number } {
    const first = (index - this.firstIndex) * this.pagesPerExtent
    return { first, pages: Math.min(this.pagesPerExtent, this.bitmap.pages - first) }
  }

  /** The present pages of an extent, relative to it. */
  present(index: number): PageRuns.PageRuns {
    const { first, pages } = this.range(index)
    return this.bitmap.runs(first, pages)
  }

  /** The digest of an extent, from the digests of its pages in `digests`. Zeros if no page is present. */
  digest(index: number, digests: Uint8Array): Uint8Array {
    const length = Checksum.digestLength(this.algorithm)
    const present = this.present(index)
    if (present.length === 0) return new Uint8Array(length)
    const state = Checksum.hasher(this.algorithm)
    state.update(preamble(this.idstr, index, present, this.range(index).pages))
    // In one piece: with every other page present, one call per run would take longer than hashing the bytes.
    let at = 0
    PageRuns.forEach(present, (first, count) => {
      this.#gathered.set(digests.subarray(first * length, (first + count) * length), at)
      at += count * length
    })
    state.update(this.#gathered.subarray(0, at))
    return state.digest()
  }

  /** The digest of an extent, from its bytes; absent pages are ignored. */
  digestOf(index: number, data: Uint8Array, pageSize: number): Uint8Array {
    const length = Checksum.digestLength(this.algorithm)
    const digests = new Uint8Array(this.pagesPerExtent * length)
    PageRuns.forEach(this.present(index), (first, count) => {
      for (let page = first; page < first + count; page++) {
        Checksum.pageInto(this.algorithm, data.subarray(page * pageSize, (page + 1) * pageSize), digests, page * length)
      }
    })
    return this.digest(index, digests)
  }
}
