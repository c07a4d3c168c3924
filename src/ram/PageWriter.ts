/**
 * Where the pages of one RAM block are written to.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"

/**
 * Random write access to the bytes of one RAM block.
 *
 * **Details**
 *
 * Offsets and lengths are bytes, counted from the start of the block; callers keep them inside the block. Writes to
 * disjoint ranges may run at the same time.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface PageWriter<out E = never> {
  /** `true` when every byte is known to be zero already, so that zero pages need no work. */
  readonly fresh: boolean
  /** The place of the bytes `[offset, offset + length)` in process memory: reading into it is writing the pages. */
  readonly view: ((offset: number, length: number) => Uint8Array) | undefined
  /** Writes all of `data` at `offset`. */
  readonly write: (offset: number, data: Uint8Array) => Effect.Effect<void, E>
  /** Makes `length` bytes at `offset` zero, whatever was there. */
  readonly zero: (offset: number, length: number) => Effect.Effect<void, E>
  /** Makes everything written so far durable, where the store is; process memory has nothing to do. */
  readonly sync: Effect.Effect<void, E>
}
