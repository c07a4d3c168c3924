/**
 * The digests of a block's pages while it is being written, in whichever order and however often.
 *
 * @since 0.1.0
 */
import type { PageBitmap } from "../ram/PageBitmap.ts"
import * as PageRuns from "../ram/PageRuns.ts"
import type { Shape } from "../ram/RamBlock.ts"
import * as Checksum from "./Checksum.ts"
import { Extents } from "./SealedExtents.ts"

/**
 * Remembers one digest for each page: 4 bytes with CRC-32, 32 with SHA-256; none for extents without any page.
 *
 * @category models
 * @since 0.1.0
 */
export interface PageDigests {
  /** Takes the digests of pages: `runs` of them, which count from page `first`, where `data` begins. */
  readonly record: (first: number, data: Uint8Array, runs: PageRuns.PageRuns) => void
  /** The digests of all extents, one behind the other, of the pages that the bitmap says are present. */
  readonly extents: () => Uint8Array
}

/**
 * Begins to remember the digests of a block. Every page whose bit is set in `bitmap` in the end has to be recorded.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: {
  readonly shape: Shape
  readonly bitmap: PageBitmap
  readonly algorithm: Checksum.Algorithm
  /** Bytes, whole pages. */
  readonly extentSize: number
}): PageDigests => {
  const { algorithm, bitmap, extentSize, shape } = options
  const { idstr, pageSize } = shape
  const pagesPerExtent = extentSize / pageSize
  const length = Checksum.digestLength(algorithm)
  const extents = new Extents({ algorithm, idstr, pagesPerExtent, bitmap })
  const known = new Map<number, Uint8Array>()

  const digestsOf = (index: number): Uint8Array => {
    const existing = known.get(index)
    if (existing !== undefined) return existing
    const created = new Uint8Array(extents.range(index).pages * length)
    known.set(index, created)
    return created
  }
  return {
    record: (first, data, runs) =>
      PageRuns.forEach(runs, (from, count) => {
        for (let page = from; page < from + count; page++) {
          const index = Math.floor((first + page) / pagesPerExtent)
          const at = (first + page - index * pagesPerExtent) * length
          Checksum.pageInto(algorithm, data.subarray(page * pageSize, (page + 1) * pageSize), digestsOf(index), at)
        }
      }),
    extents: () => {
      const all = new Uint8Array(extents.count * length)
      for (const [index, digests] of known) all.set(extents.digest(index, digests), index * length)
      return all
    }
  }
}
