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
 * Finds dirty pages for one migration, from the start of it to its end. `E` is what reading the blocks can fail with.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Tracking<out E = never> {
  /**
   * The blocks in the form in which they have to be read: the tracker may want to see the bytes that are moved. Reading
   * pages counts as moving them.
   */
  readonly blocks: ReadonlyArray<RamBlock.Readable<E>>
  /**
   * Adds the pages that may have changed since they were last read, or marked since the last call. A failed or
   * interrupted call ends the migration: what it has added so far is only a part.
   */
  readonly collect: (dirty: DirtyPages) => Effect.Effect<void, E>
}
