import type * as Effect from "effect/Effect"
import type * as PageBitmap from "../PageBitmap.ts"
import type * as RamBlock from "../RamBlock.ts"

/**
 * The dirty pages of each block, by `idstr`.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type DirtyPages = ReadonlyMap<string, PageBitmap.PageBitmap>

/**
 * Finds dirty pages for one migration, from start to end. `E` is the error of reading the blocks.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Tracking<out E = never> {
  /**
   * The blocks to read from: the tracker may need to see the bytes that are moved. Reading pages counts as moving them.
   */
  readonly blocks: ReadonlyArray<RamBlock.Readable<E>>
  /**
   * Adds the pages that may have changed since they were last read, or that were marked since the last call. A failed
   * or interrupted call ends the migration: the pages it added are incomplete.
   */
  readonly collect: (dirty: DirtyPages) => Effect.Effect<void, E>
}
