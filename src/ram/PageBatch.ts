/**
 * A batch of pages of one block: the unit of work of the pipeline.
 *
 * @since 0.1.0
 */
import type { PageRuns } from "./PageRuns.ts"
import type * as RamBlock from "./RamBlock.ts"

/**
 * Pages of one block, in ascending order, that one channel handles as one job. A batch says which pages, not what they
 * hold: the bytes are looked at by the channel that takes it, so a queue of batches holds no page data.
 *
 * @category models
 * @since 0.1.0
 */
export interface PageBatch<out E = never> {
  readonly block: RamBlock.Readable<E>
  /** Byte offset of the batch in the block, page aligned. */
  readonly offset: number
  /** Bytes from the first to behind the last page of the batch. */
  readonly length: number
  /** Which pages of the range belong to the batch, relative to `offset`. A full scan takes all of them. */
  readonly pages: PageRuns
}

/**
 * A batch whose bytes have been read and whose zero pages have been told apart.
 *
 * @category models
 * @since 0.1.0
 */
export interface LoadedBatch<out E = never> extends PageBatch<E> {
  /** The bytes of the whole range, gaps included; valid until the batch's job ends. */
  readonly data: Uint8Array
  /** The pages of the batch that hold anything but zeros. */
  readonly normal: PageRuns
  /** The pages of the batch that are all zeros. */
  readonly zero: PageRuns
}
