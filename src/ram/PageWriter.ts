/**
 * Write access to the pages of one RAM block.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { FileRange } from "./FileRange.ts"

/**
 * Random write access to the bytes of one RAM block.
 *
 * **Details**
 *
 * Offsets and lengths are bytes, counted from the start of the block. Callers keep them inside the block. Writes to
 * disjoint ranges may run concurrently.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface PageWriter<out E = never> {
  /** `true` if every byte is known to be zero already, so that zero pages need no work. */
  readonly fresh: boolean
  /** The bytes `[offset, offset + length)` in process memory: reading into the view writes the pages. */
  readonly view: ((offset: number, length: number) => Uint8Array) | undefined
  /** Writes all of `data` at `offset`. */
  readonly write: (offset: number, data: Uint8Array) => Effect.Effect<void, E>
  /** Zeroes `length` bytes at `offset`. */
  readonly zero: (offset: number, length: number) => Effect.Effect<void, E>
  /** Makes everything written so far durable, if the store is durable. A no-op for process memory. */
  readonly sync: Effect.Effect<void, E>
  /** The location of all pages in an open file, for lanes. Default: only `write` and `zero` can change them. */
  readonly inFile?: FileRange<E> | undefined
}
