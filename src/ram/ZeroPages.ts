/**
 * Separates zero pages from normal pages, at the speed of memory.
 *
 * @since 0.1.0
 */
// Runs are pairs of numbers, and the index stays below their length: a check would be paid for every run of a batch.
// oxlint-disable typescript/no-non-null-assertion -- see above
import { Buffer } from "node:buffer"
import { append } from "./internal/runs.ts"
import type { PageRuns } from "./PageRuns.ts"

/**
 * The pages of a range, by content.
 *
 * @category models
 * @since 0.1.0
 */
export interface Split {
  /** The pages that are not all zeros. */
  readonly normal: PageRuns
  /** The pages that are all zeros. */
  readonly zero: PageRuns
}

/**
 * Bytes of neighbouring pages compared by one call. With all pages of a default batch the call overhead is negligible.
 * A failed comparison is repeated page by page, so a larger window would only make failures slower.
 */
const windowLength = 1024 * 1024

/**
 * `true` if the bytes `[start, end)` of `data` are all zeros.
 *
 * **Details**
 *
 * For other data the first byte usually decides; the rest runs at the speed of memory.
 *
 * **Gotchas**
 *
 * The result is valid only if the bytes do not change during the call. A page that another thread is writing may be
 * classified either way, and is dirty anyway.
 *
 * @category guards
 * @since 0.1.0
 */
export const isZero = (data: Uint8Array, start: number = 0, end: number = data.length): boolean =>
  start >= end || (data[start] === 0 && allZero(asBuffer(data), start, end))

/**
 * Separates the zero pages among `pages` from the others, in one pass. `data` holds whole pages of `pageSize` bytes;
 * only `pages` are examined.
 *
 * @category constructors
 * @since 0.1.0
 */
export const split = (data: Uint8Array, pageSize: number, pages: PageRuns): Split => {
  const buffer = asBuffer(data)
  const normal: Array<number> = []
  const zero: Array<number> = []
  for (let i = 0; i < pages.length; i += 2) {
    splitRun(buffer, pageSize, pages[i]!, pages[i]! + pages[i + 1]!, normal, zero)
  }
  return { normal, zero }
}

/**
 * Gathers neighbouring pages that begin with a zero byte and compares them in one call. If that fails, the pages are
 * compared one by one.
 */
const splitRun = (
  data: Buffer,
  pageSize: number,
  from: number,
  to: number,
  normal: Array<number>,
  zero: Array<number>
): void => {
  const atOnce = windowLength / pageSize
  let page = from
  while (page < to) {
    const limit = Math.min(page + atOnce, to)
    let end = page
    while (end < limit && data[end * pageSize] === 0) end++
    if (end === page) {
      append(normal, page++, 1)
    } else if (allZero(data, page * pageSize, end * pageSize)) {
      append(zero, page, end - page)
      page = end
    } else {
      for (; page < end; page++) {
        append(allZero(data, page * pageSize, (page + 1) * pageSize) ? zero : normal, page, 1)
      }
    }
  }
}

/**
 * `true` if the bytes `[start, end)` are all zeros: exactly if the first byte is zero and the bytes equal themselves
 * shifted by one. Comparing memory with itself reads it once. A buffer of zeros as the other side would need to stay in
 * the first-level cache, and be compared in pieces of its length.
 */
const allZero = (data: Buffer, start: number, end: number): boolean =>
  data.compare(data, start, end - 1, start + 1, end) === 0 && data[start] === 0

/** The same memory as a `Buffer`, whose `compare` takes offsets and so needs no view per call. */
const asBuffer = (data: Uint8Array): Buffer =>
  Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
