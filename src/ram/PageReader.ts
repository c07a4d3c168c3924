/**
 * Read access to the pages of one RAM block.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { FileRange } from "./FileRange.ts"
import type { PageBitmap } from "./PageBitmap.ts"
import type { PageRuns } from "./PageRuns.ts"

/**
 * Random access to the bytes of one RAM block.
 *
 * **Details**
 *
 * Offsets and lengths are bytes, counted from the start of the block. Callers keep them inside the block. A reader with
 * its pages in process memory offers `view`, and nothing is copied. A reader with its pages elsewhere (a file, an
 * image) leaves `view` undefined and fills the caller's buffer.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface PageReader<out E = never> {
  /**
   * The pages that may be other than zero, if the store knows them (an image's file bitmap). `undefined`: unknown, so
   * each page must be examined.
   */
  readonly present: PageBitmap | undefined
  /** The bytes `[offset, offset + length)` themselves, without copying, for pages in process memory. */
  readonly view: ((offset: number, length: number) => Uint8Array) | undefined
  /**
   * Fills all of `target` with the bytes at `offset`; absent pages read as zeros. `pages`, counted from `offset`,
   * selects the wanted pages; default: all. The bytes between them may or may not be filled.
   */
  readonly readInto: (offset: number, target: Uint8Array, pages?: PageRuns) => Effect.Effect<void, E>
  /** The location of all pages in an open file, for lanes. Default: only `readInto` can read them. */
  readonly inFile?: FileRange<E> | undefined
}
