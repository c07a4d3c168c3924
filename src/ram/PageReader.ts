/**
 * Where the pages of one RAM block are read from.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { PageBitmap } from "./PageBitmap.ts"
import type { PageRuns } from "./PageRuns.ts"

/**
 * Random access to the bytes of one RAM block.
 *
 * **Details**
 *
 * Offsets and lengths are bytes, counted from the start of the block; callers keep them inside the block. A reader
 * whose pages lie in process memory offers `view`, and nothing is ever copied. A reader whose pages lie elsewhere (a
 * file, an image) leaves `view` undefined and fills the caller's buffer instead.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface PageReader<out E = never> {
  /**
   * The pages that can hold anything but zeros, where the store already knows (an image's file bitmap). `undefined`:
   * nobody knows, so each page has to be looked at.
   */
  readonly present: PageBitmap | undefined
  /** The bytes `[offset, offset + length)` themselves, without copying, for pages in process memory. */
  readonly view: ((offset: number, length: number) => Uint8Array) | undefined
  /**
   * Fills all of `target` with the bytes at `offset`; pages that are not present read as zeros. `pages` says which of them,
   * counted from `offset`, are wanted, if not all: what is between them may be filled or left alone.
   */
  readonly readInto: (offset: number, target: Uint8Array, pages?: PageRuns) => Effect.Effect<void, E>
}
