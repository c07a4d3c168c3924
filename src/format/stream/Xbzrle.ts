/**
 * XBZRLE: a page as its changes since it was last sent.
 *
 * Runs of unchanged bytes and of changed bytes alternate, beginning with unchanged ones. Lengths are ULEB128 (seven
 * bits per byte, the lowest first, the top bit set on all but the last). Bytes after the last run are unchanged.
 *
 * ```text
 *   stay 03 │ change 02  aa bb │ stay 90 20 (4112) │ change 01  cc
 * ```
 *
 * The lengths are those of QEMU, at most two bytes of ULEB128: runs below 16384 bytes, and pages up to that size.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Finding from "../Finding.ts"

/**
 * The byte that names this encoding in a record.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const ENCODING: number = 1

/**
 * Applies changes to the previous content of a page, into `out`, which may be `old` itself.
 *
 * **Details**
 *
 * `old` and `out` have the length of a page. Fails with `xbzrle-corrupt` at an empty run where none may be empty, at a
 * run that leaves the page, and at a truncated run; `out` is then not usable. Time and memory are those of one page.
 *
 * **Example** (Two bytes changed)
 *
 * ```ts
 * import { Xbzrle } from "effect-multifd/format"
 *
 * const page = new Uint8Array(4096)
 * Xbzrle.decode(page, new Uint8Array([0x03, 0x02, 0xaa, 0xbb]), page)
 * page[4] // => 0xbb
 * ```
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decode = (
  old: Uint8Array,
  data: Uint8Array,
  out: Uint8Array,
  position = 0
): Result.Result<void, Finding.Finding> => {
  out.set(old)
  const runs = new RunReader(data)
  let at = 0
  while (runs.hasMore) {
    const stay = runs.length()
    const change = runs.length()
    const start = at + stay
    const isEmpty = change <= 0 || (stay === 0 && at > 0)
    if (stay < 0 || isEmpty || start + change > out.length || !runs.copy(change, out, start)) {
      return Result.fail(corrupt(data, position))
    }
    at = start + change
  }
  return Result.succeed(undefined)
}

/** Two bytes of ULEB128 hold no larger number. */
const MAX_RUN = 0x3fff

const corrupt = (data: Uint8Array, offset: number): Finding.Finding =>
  Finding.make({
    code: "xbzrle-corrupt",
    offset,
    expected: "runs of unchanged and changed bytes, within a page",
    found: `${data.length} bytes that are something else`
  })

/** Reads runs one after another. */
class RunReader {
  private at = 0
  private readonly data: Uint8Array
  constructor(data: Uint8Array) {
    this.data = data
  }

  get hasMore(): boolean {
    return this.at < this.data.length
  }

  /** The next length, or -1 at the end. */
  length(): number {
    const low = this.data[this.at++] ?? -1
    if (low < 0x80) return low
    const high = this.data[this.at++] ?? 0x80
    return high < 0x80 ? (low & 0x7f) | (high << 7) : -1
  }

  /** Copies the next bytes; `false` if some of them are missing. */
  copy(length: number, target: Uint8Array, at: number): boolean {
    const bytes = this.data.subarray(this.at, this.at + length)
    target.set(bytes, at)
    this.at += length
    return bytes.length === length
  }
}

/**
 * The changes from one content of a page to another. Empty if there are none. `undefined` if they take more than
 * `limit` bytes, or more than this encoding can represent, so that sending the whole page is better.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encode = (old: Uint8Array, page: Uint8Array, limit: number = page.length): Uint8Array | undefined => {
  const out: Array<number> = []
  let at = 0
  for (;;) {
    const start = skipEqual(old, page, at)
    if (start === page.length) return new Uint8Array(out)
    const end = skipDifferent(old, page, start)
    if (start - at > MAX_RUN || end - start > MAX_RUN) return undefined
    pushLength(out, start - at)
    pushLength(out, end - start)
    if (out.length + end - start > limit) return undefined
    for (const byte of page.subarray(start, end)) out.push(byte)
    at = end
  }
}

const skipEqual = (old: Uint8Array, page: Uint8Array, from: number): number => {
  let at = from
  while (at < page.length && old[at] === page[at]) at++
  return at
}

const skipDifferent = (old: Uint8Array, page: Uint8Array, from: number): number => {
  let at = from
  while (at < page.length && old[at] !== page[at]) at++
  return at
}

const pushLength = (out: Array<number>, length: number): void => {
  if (length < 0x80) out.push(length)
  else out.push((length & 0x7f) | 0x80, length >> 7)
}
