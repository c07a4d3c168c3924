/**
 * Parsing without I/O: a parser requests bytes, and its driver fetches them.
 *
 * ```text
 *   driver                                parser (a generator)
 *     │ ── next() ──────────────────────────▶ │
 *     │ ◀── ReadRequest { position, length } ───── │
 *     │ ── next(bytes) ─────────────────────▶ │   length bytes, or fewer where the input ends
 *     │ ◀── ReadRequest … ──────────────────────── │
 *     │ ◀── done: the parsed value ────────── │
 * ```
 *
 * @since 0.1.0
 */

/**
 * The next bytes that a parser needs.
 *
 * **Details**
 *
 * `length` is bounded by `MAX_READ_BYTES` and never taken from the input unchecked, so a driver may allocate it.
 * `position` is absolute and may be past the end of the input, where there are no bytes.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface ReadRequest {
  /** Absolute position of the first byte, 0 ≤ position < 2^53. */
  readonly position: number
  /** Number of bytes, at least 1. */
  readonly length: number
}

/**
 * A parser yields read requests and is resumed with the bytes. It gets fewer bytes than requested exactly when the
 * input ends there. It never changes these bytes, and keeps no copy of them unless its documentation says so.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Parser<A> = Generator<ReadRequest, A, Uint8Array>

/**
 * Largest read request: 1 MiB. Enough to search a device state quickly, and small next to the memory of a process.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const MAX_READ_BYTES: number = 1024 * 1024

/**
 * Runs a parser over bytes in memory; position 0 is the first byte.
 *
 * **Example** (Reading the first section type of a stream in memory)
 *
 * ```ts
 * import { Parser } from "effect-multifd/format"
 *
 * function* firstByte(): Parser.Parser<number | undefined> {
 *   const bytes = yield { position: 8, length: 1 }
 *   return bytes[0]
 * }
 * Parser.runSync(firstByte(), new Uint8Array([0x51, 0x45, 0x56, 0x4d, 0, 0, 0, 3, 7])) // => 7
 * ```
 *
 * @stability unstable
 * @category running
 * @since 0.1.0
 */
export const runSync = <A>(parser: Parser<A>, bytes: Uint8Array): A => {
  let step = parser.next()
  while (step.done !== true) {
    const { length, position } = step.value
    step = parser.next(bytes.subarray(position, position + length))
  }
  return step.value
}
