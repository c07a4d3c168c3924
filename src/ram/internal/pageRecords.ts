import { Buffer } from "node:buffer"
import type { PageBitmap } from "../PageBitmap.ts"
import * as PageRuns from "../PageRuns.ts"
import * as RamBlock from "../RamBlock.ts"
import * as ZeroPages from "../ZeroPages.ts"
import * as PageHash from "./pageHash.ts"

/**
 * A record of the pages of one block that shows which of them have changed.
 *
 * @internal
 */
export interface PageRecords {
  /** Records `pages`, which count from page `first`, the start of `data`. */
  readonly record: (first: number, data: Uint8Array, pages: PageRuns.PageRuns) => void
  /** Sets the bits of the pages in `data`, which begins at page `first`, that differ from their record. */
  readonly compare: (first: number, data: Uint8Array, changed: PageBitmap) => void
}

/** Bytes compared and copied by one call: the call overhead is negligible, and the bytes stay in the cache. */
const windowLength = 64 * 1024

/**
 * Copies of the pages. Pages that have always been zero take no memory: the kernel allocates it on the first write, and
 * zeros are not written.
 */
const copies = ({ pageSize, usedLength }: RamBlock.Shape): PageRecords => {
  const copy = Buffer.from(new ArrayBuffer(usedLength))
  const atOnce = Math.max(windowLength, pageSize)

  const equal = (data: Uint8Array, from: number, to: number, at: number): boolean =>
    copy.compare(data, from, to, at + from, at + to) === 0

  /** Calls `f` for each piece of `[from, to)` that differs. */
  const differences = (
    data: Uint8Array,
    at: number,
    { from, to, length }: { readonly from: number; readonly to: number; readonly length: number },
    f: (from: number, to: number) => void
  ): void => {
    for (let start = from; start < to; start += length) {
      const end = Math.min(start + length, to)
      if (!equal(data, start, end, at)) f(start, end)
    }
  }

  return {
    record: (first, data, pages) => {
      const at = first * pageSize
      PageRuns.forEach(pages, (page, count) => {
        const run = { from: page * pageSize, to: (page + count) * pageSize, length: atOnce }
        differences(data, at, run, (from, to) => copy.set(data.subarray(from, to), at + from))
      })
    },
    compare: (first, data, changed) => {
      const at = first * pageSize
      differences(data, at, { from: 0, to: data.length, length: atOnce }, (from, to) =>
        differences(data, at, { from, to, length: pageSize }, (start) => changed.setRange(first + start / pageSize, 1))
      )
    }
  }
}

/** 128 bits of each page. Zero pages are recognised directly, ten times faster than hashing them. */
const hashes = (shape: RamBlock.Shape): PageRecords => {
  const { pageSize } = shape
  const known = new Int32Array(RamBlock.pageCount(shape) * PageHash.words)
  const hash = new Int32Array(PageHash.words)
  const zero = PageHash.make(new Int32Array(pageSize / 4), new Int32Array(PageHash.words))

  const hashOf = (data: Uint8Array, words: Int32Array, page: number): Int32Array => {
    const start = page * pageSize
    if (ZeroPages.isZero(data, start, start + pageSize)) return zero
    return PageHash.make(words.subarray(start / 4, (start + pageSize) / 4), hash)
  }
  return {
    record: (first, data, pages) => {
      const words = wordsOf(data)
      PageRuns.forEach(pages, (from, count) => {
        for (let page = from; page < from + count; page++) {
          known.set(hashOf(data, words, page), (first + page) * PageHash.words)
        }
      })
    },
    compare: (first, data, changed) => {
      const words = wordsOf(data)
      for (let page = 0; page < data.length / pageSize; page++) {
        if (!PageHash.equals(hashOf(data, words, page), known, (first + page) * PageHash.words)) {
          changed.setRange(first + page, 1)
        }
      }
    }
  }
}

/** The same memory in 32-bit words, or a copy if it is not word aligned. */
const wordsOf = (data: Uint8Array): Int32Array =>
  data.byteOffset % 4 === 0
    ? new Int32Array(data.buffer, data.byteOffset, data.length / 4)
    : new Int32Array(data.slice().buffer)

/**
 * The record makers, by comparison.
 *
 * @internal
 */
export const makers: { readonly [By in "copy" | "hash"]: (block: RamBlock.Shape) => PageRecords } = {
  copy: copies,
  hash: hashes
}
