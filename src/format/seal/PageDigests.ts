/**
 * The digests of a block's pages during a write, in any order and any number of times.
 *
 * @since 0.1.0
 */
import { Buffer } from "node:buffer"
import * as PageBitmap from "../../ram/PageBitmap.ts"
import * as PageRuns from "../../ram/PageRuns.ts"
import type { Shape } from "../../ram/RamBlock.ts"
import * as Checksum from "./Checksum.ts"
import { Extents } from "./SealedExtents.ts"

/**
 * Keeps one digest per page: 4 bytes with CRC-32, 32 with SHA-256. Extents without any page take none.
 *
 * @category models
 * @since 0.1.0
 */
export interface PageDigests {
  /** Records the digests of pages: `runs` count from page `first`, the start of `data`. */
  readonly record: (first: number, data: Uint8Array, runs: PageRuns.PageRuns) => void
  /** The digest that is taken of each page. */
  readonly algorithm: Checksum.Algorithm
  /** Records digests computed elsewhere: `digests` of the pages of `runs`, one after another. */
  readonly take: (first: number, digests: Uint8Array, runs: PageRuns.PageRuns) => void
  /**
   * The digests of all extents, one after another, for the pages that the bitmap marks present now. Later calls
   * recompute only the extents that have changed.
   */
  readonly extents: () => Uint8Array
  /**
   * Does the work of `extents` for `count` extents in advance, so that it is spread over time. Returns `true` while
   * work remains.
   */
  readonly advance: (count: number) => boolean
}

/** Bytes of a bitmap compared by one call: usually none of them has changed. */
const COMPARED_BYTES = 512

/** Calls `f` with every byte that differs between two bitmaps of one length. */
const forEachDifference = (a: Uint8Array, b: Uint8Array, f: (at: number) => void): void => {
  for (let from = 0; from < a.length; from += COMPARED_BYTES) {
    const to = Math.min(from + COMPARED_BYTES, a.length)
    if (Buffer.compare(a.subarray(from, to), b.subarray(from, to)) === 0) continue
    for (let at = from; at < to; at++) if (a[at] !== b[at]) f(at)
  }
}

/**
 * Starts to record the digests of a block. Every page whose bit is set in `bitmap` at the end must have been recorded.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: {
  readonly shape: Shape
  readonly bitmap: PageBitmap.PageBitmap
  readonly algorithm: Checksum.Algorithm
  /** Bytes, whole pages. */
  readonly extentSize: number
}): PageDigests => {
  const { algorithm, bitmap, extentSize, shape } = options
  const { idstr, pageSize } = shape
  const pagesPerExtent = extentSize / pageSize
  const length = Checksum.digestLength(algorithm)
  /** The bits at the last look. All digests refer to them. */
  const seen = PageBitmap.make(bitmap.pages)
  const extents = new Extents({ algorithm, idstr, pagesPerExtent, bitmap: seen })
  const known = new Map<number, Uint8Array>()
  const all = new Uint8Array(extents.count * length)
  /** Extents missing from `all`: those with new page digests, and those whose bits have changed. */
  const changed = new Set<number>()

  const digestsOf = (index: number): Uint8Array => {
    const existing = known.get(index)
    if (existing !== undefined) return existing
    const created = new Uint8Array(extents.range(index).pages * length)
    known.set(index, created)
    return created
  }

  /** The extent of a page, before its digests are recorded. */
  const begin = (page: number) => {
    const index = Math.floor(page / pagesPerExtent)
    changed.add(index)
    return { first: index * pagesPerExtent, end: (index + 1) * pagesPerExtent, digests: digestsOf(index) }
  }

  const collectByte = (at: number): void => {
    const last = Math.min(8 * at + 7, bitmap.pages - 1)
    for (let index = Math.floor((8 * at) / pagesPerExtent); index * pagesPerExtent <= last; index++) changed.add(index)
  }

  const collectBits = (): void => {
    forEachDifference(seen.bytes, bitmap.bytes, collectByte)
    seen.bytes.set(bitmap.bytes)
  }

  const digestPending = (index: number): void => {
    const digests = known.get(index)
    if (digests !== undefined) all.set(extents.digest(index, digests), index * length)
    changed.delete(index)
  }

  let isAdvancing = false
  const advance = (count: number): boolean => {
    if (!isAdvancing) collectBits()
    let left = count
    for (const index of changed) {
      if (left-- === 0) break
      digestPending(index)
    }
    isAdvancing = changed.size > 0
    return isAdvancing
  }

  return {
    algorithm,
    take: (first, taken, runs) => {
      let extent: ReturnType<typeof begin> = { first: 0, end: 0, digests: all }
      let from = 0
      PageRuns.forEach(runs, (page, count) => {
        for (let at = first + page, left = count; left > 0;) {
          if (at >= extent.end) extent = begin(at)
          const now = Math.min(left, extent.end - at)
          extent.digests.set(taken.subarray(from, from + now * length), (at - extent.first) * length)
          from += now * length
          at += now
          left -= now
        }
      })
    },
    record: (first, data, runs) => {
      let extent: ReturnType<typeof begin> = { first: 0, end: 0, digests: all }
      PageRuns.forEach(runs, (from, count) => {
        for (let at = from; at < from + count; at++) {
          if (first + at >= extent.end) extent = begin(first + at)
          const page = data.subarray(at * pageSize, (at + 1) * pageSize)
          Checksum.pageInto(algorithm, page, extent.digests, (first + at - extent.first) * length)
        }
      })
    },
    advance,
    extents: () => {
      collectBits()
      while (advance(extents.count));
      return all.slice()
    }
  }
}
