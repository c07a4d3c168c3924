/**
 * One bit per page of a RAM block, in the byte order of mapped-ram's file bitmap.
 *
 * ```text
 * byte     0                 1                       length = 8 × ceil(pages / 64)
 *          ┌─────────────────┬─────────────────┬─ ─ ─ ┬─────────────────┐
 * bit      │ 7 6 5 4 3 2 1 0 │ 7 6 5 4 3 2 1 0 │      │ · · · · 3 2 1 0 │
 *          └─────────────────┴─────────────────┴─ ─ ─ ┴─────────────────┘
 * page       7     …       0   15    …       8          └ padding: bits past the last page
 *
 * page i ↔ byte i >> 3, bit i & 7
 * ```
 *
 * The layout is the array of 64-bit words that QEMU writes on a little-endian host (mapped-ram file bitmap). A writer
 * leaves the padding clear. Readers ignore it, and so does everything here except {@link PageBitmap.paddingIsClear}.
 *
 * @since 0.1.0
 */
// Callers keep pages below `pages`, and runs are pairs: a check would be paid for every page.
// oxlint-disable typescript/no-non-null-assertion -- see above
import type { PageRuns } from "./PageRuns.ts"

/**
 * A set of pages of one block, backed by bytes that are written to and read from a file unchanged.
 *
 * **Details**
 *
 * Page numbers are exact up to 2^53; no 32-bit operator is applied to them. Range operations take time by the byte,
 * searches and counts by the word: a bitmap of 2^28 pages (1 TiB of RAM) is counted in tens of milliseconds.
 *
 * **Gotchas**
 *
 * A page or range outside `[0, pages)` throws a `RangeError`: it is always a bug in the caller, never the effect of bad
 * input.
 *
 * **Example** (Marking pages)
 *
 * ```ts
 * import { PageBitmap } from "effect-multifd"
 *
 * const bitmap = PageBitmap.make(100)
 * bitmap.setRange(2, 3)
 * bitmap.setRange(90, 10)
 * bitmap.count() // => 13
 * bitmap.runs(0, 100) // => [2, 3, 90, 10]
 * bitmap.bytes.length // => 16
 * ```
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface PageBitmap {
  /** The bits, 8 × ceil(pages / 64) bytes, shared with the bitmap: a write to either shows in the other. */
  readonly bytes: Uint8Array
  /** The number of pages. */
  readonly pages: number
  /** `true` if the bit of `page` is set. */
  readonly has: (page: number) => boolean
  /** Sets the bits of `count` pages, starting at `first`. */
  readonly setRange: (first: number, count: number) => void
  /** Clears the bits of `count` pages, starting at `first`. */
  readonly clearRange: (first: number, count: number) => void
  /** Sets the bits of all `runs`, whose page numbers count from `first`. */
  readonly setRuns: (first: number, runs: PageRuns) => void
  /** Clears the bits of all `runs`, whose page numbers count from `first`. */
  readonly clearRuns: (first: number, runs: PageRuns) => void
  /** The number of pages whose bit is set. */
  readonly count: () => number
  /**
   * The first page in `[from, before)` whose bit is set, or `before` if there is none. `before` defaults to `pages`.
   */
  readonly nextSet: (from: number, before?: number) => number
  /**
   * The first page in `[from, before)` whose bit is clear, or `before` if there is none. `before` defaults to `pages`.
   */
  readonly nextClear: (from: number, before?: number) => number
  /** The last page whose bit is set, or -1 if there is none. */
  readonly lastSet: () => number
  /** The runs of set bits among `count` pages starting at `first`, relative to `first`. */
  readonly runs: (first: number, count: number) => PageRuns
  /** `true` if all bits past the last page are clear, as a writer leaves them. */
  readonly paddingIsClear: () => boolean
}

/**
 * Bytes in the bitmap of `pages` pages: whole 64-bit words.
 *
 * @stability stable
 * @category getters
 * @since 0.1.0
 */
export const byteLength = (pages: number): number => Math.ceil(pages / 64) * 8

/**
 * Makes a bitmap of `pages` pages, all clear. It allocates one bit per page immediately, so bound a page count that
 * comes from a file first.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const make = (pages: number): PageBitmap => new Words(new Uint8Array(byteLength(pages)), pages)

/**
 * Makes a bitmap over `bytes` without copying them. They must be `byteLength(pages)` long and may have any alignment.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const fromBytes = (bytes: Uint8Array, pages: number): PageBitmap => {
  if (bytes.length !== byteLength(pages)) {
    throw new RangeError(`the bitmap of ${pages} pages takes ${byteLength(pages)} bytes, not ${bytes.length}`)
  }
  return new Words(bytes, pages)
}

/** Works on 32-bit words, the widest that JavaScript computes with; a `DataView` reads them at any alignment. */
class Words implements PageBitmap {
  readonly bytes: Uint8Array
  readonly pages: number
  readonly #words: DataView

  constructor(bytes: Uint8Array, pages: number) {
    this.bytes = bytes
    this.pages = pages
    this.#words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  has(page: number): boolean {
    this.#check(page, 1)
    return (this.bytes[byteOf(page)]! & (1 << (page & 7))) !== 0
  }

  setRange(first: number, count: number): void {
    this.#check(first, count)
    fill(this.bytes, first, first + count, 0xff)
  }

  clearRange(first: number, count: number): void {
    this.#check(first, count)
    fill(this.bytes, first, first + count, 0)
  }

  setRuns(first: number, runs: PageRuns): void {
    for (let i = 0; i < runs.length; i += 2) this.setRange(first + runs[i]!, runs[i + 1]!)
  }

  clearRuns(first: number, runs: PageRuns): void {
    for (let i = 0; i < runs.length; i += 2) this.clearRange(first + runs[i]!, runs[i + 1]!)
  }

  count(): number {
    const whole = wordOf(this.pages)
    let sum = 0
    for (let at = 0; at < whole; at += 4) sum += ones(this.#words.getInt32(at, true))
    return this.pages % 32 === 0 ? sum : sum + ones(this.#words.getInt32(whole, true) & below(this.pages))
  }

  nextSet(from: number, before: number = this.pages): number {
    this.#check(from, before - from)
    return this.#next(from, before, 0)
  }

  nextClear(from: number, before: number = this.pages): number {
    this.#check(from, before - from)
    return this.#next(from, before, -1)
  }

  lastSet(): number {
    if (this.pages === 0) return -1
    let at = wordOf(this.pages - 1)
    let word = this.#words.getInt32(at, true) & (this.pages % 32 === 0 ? -1 : below(this.pages))
    while (word === 0) {
      if (at === 0) return -1
      at -= 4
      word = this.#words.getInt32(at, true)
    }
    return at * 8 + 31 - Math.clz32(word)
  }

  runs(first: number, count: number): PageRuns {
    this.#check(first, count)
    const end = first + count
    const runs: Array<number> = []
    let from = this.#next(first, end, 0)
    while (from < end) {
      const to = this.#next(from, end, -1)
      runs.push(from - first, to - from)
      from = this.#next(to, end, 0)
    }
    return runs
  }

  paddingIsClear(): boolean {
    const end = this.bytes.length * 8
    return this.#next(this.pages, end, 0) === end
  }

  /** The first bit in `[from, before)` that differs from the bits of `same`, or `before`. */
  #next(from: number, before: number, same: 0 | -1): number {
    if (from >= before) return before
    let at = wordOf(from)
    let word = (this.#words.getInt32(at, true) ^ same) & ~below(from)
    while (word === 0) {
      at += 4
      if (at * 8 >= before) return before
      word = this.#words.getInt32(at, true) ^ same
    }
    return Math.min(at * 8 + 31 - Math.clz32(word & -word), before)
  }

  #check(first: number, count: number): void {
    if (!(first >= 0 && count >= 0 && first + count <= this.pages)) {
      throw new RangeError(`pages [${first}, ${first + count}) are outside the bitmap's ${this.pages} pages`)
    }
  }
}

/** The byte that holds the bit of `page`. */
const byteOf = (page: number): number => (page - (page & 7)) / 8

/** The byte offset of the 32-bit word that holds the bit of `page`. */
const wordOf = (page: number): number => (page - (page & 31)) / 8

/** The bits of a word below the one of `page`; `&` takes the low bits of a number of any size. */
const below = (page: number): number => (1 << (page & 31)) - 1

/** The number of bits set in a 32-bit word: sums of neighbours in parallel, gathered by one multiplication. */
const ones = (word: number): number => {
  const pairs = word - ((word >>> 1) & 0x55555555)
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

/**
 * Sets the bits `[from, to)` to the bits of `value`: whole bytes in one call, the partial bytes at both ends by mask.
 */
const fill = (bytes: Uint8Array, from: number, to: number, value: 0 | 0xff): void => {
  if (from >= to) return
  const first = byteOf(from)
  const last = byteOf(to)
  const firstBits = (0xff << (from & 7)) & 0xff
  const lastBits = (1 << (to & 7)) - 1
  if (first === last) return assign(bytes, first, firstBits & lastBits, value)
  assign(bytes, first, firstBits, value)
  if (last > first + 1) bytes.fill(value, first + 1, last)
  if (lastBits !== 0) assign(bytes, last, lastBits, value)
}

const assign = (bytes: Uint8Array, at: number, mask: number, value: 0 | 0xff): void => {
  bytes[at] = (bytes[at]! & ~mask) | (value & mask)
}
