/**
 * A batch of pages of one block: the unit of work of the pipeline.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { PageBitmap } from "./PageBitmap.ts"
import * as PageRuns from "./PageRuns.ts"
import type * as RamBlock from "./RamBlock.ts"
import * as ZeroPages from "./ZeroPages.ts"

/**
 * Pages of one block, in ascending order, that one channel handles as one job. A batch says which pages, not what they
 * hold: the bytes are looked at by the channel that takes it, so a queue of batches holds no page data.
 *
 * @stability unstable
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
  readonly pages: PageRuns.PageRuns
}

/**
 * A batch whose bytes have been read and whose zero pages have been told apart.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface LoadedBatch<out E = never> extends PageBatch<E> {
  /**
   * The bytes of the whole range, gaps included; valid until the batch's job ends. Empty where the block's bitmap says
   * that no page of the batch is present, because then nothing was read.
   */
  readonly data: Uint8Array
  /** The pages of the batch that hold anything but zeros, or may do so where a bitmap says that they are present. */
  readonly normal: PageRuns.PageRuns
  /** The pages of the batch that are all zeros. */
  readonly zero: PageRuns.PageRuns
}

/**
 * Reads a batch and tells its zero pages apart: views pages in process memory, and reads others into `buffer(length)`,
 * which gives `length` bytes that stay the batch's until its job ends.
 *
 * **Details**
 *
 * Where the block's reader knows the pages that are present, its bitmap decides which pages are zero and no byte is
 * looked at; a batch without any present page is not even read. Otherwise each page is looked at. Either way the work
 * between two turns of the event loop is bounded by the batch.
 *
 * Fails as the block's reader fails; nothing else has happened then.
 *
 * @stability unstable
 * @category loading
 * @since 0.1.0
 */
export const load = <E>(
  batch: PageBatch<E>,
  buffer: (length: number) => Uint8Array
): Effect.Effect<LoadedBatch<E>, E> => {
  const { present } = batch.block.reader
  return present === undefined
    ? Effect.map(read(batch, buffer), (data) => ({
        ...batch,
        data,
        ...ZeroPages.split(data, batch.block.pageSize, batch.pages)
      }))
    : loadPresent(batch, presentPages(batch, present), buffer)
}

/**
 * Tells the zero pages of a batch apart without keeping its bytes: where the block's reader knows which pages are present,
 * nothing is read at all.
 *
 * @stability unstable
 * @category loading
 * @since 0.1.0
 */
export const split = <E>(
  batch: PageBatch<E>,
  buffer: (length: number) => Uint8Array
): Effect.Effect<ZeroPages.Split, E> => {
  const { present } = batch.block.reader
  if (present === undefined) return load(batch, buffer)
  const normal = presentPages(batch, present)
  return Effect.succeed({ normal, zero: PageRuns.difference(batch.pages, normal) })
}

/**
 * Reads a batch and takes all of its pages for normal ones, whatever they hold and whatever a bitmap knows: pages that are
 * not present are zeros in `data`. For where zero pages were told apart before, or shall not be.
 *
 * **Gotchas**
 *
 * All of the batch is read: one that was joined because nothing of it is present would take up to 64 MiB.
 *
 * @stability unstable
 * @category loading
 * @since 0.1.0
 */
export const loadAll = <E>(
  batch: PageBatch<E>,
  buffer: (length: number) => Uint8Array
): Effect.Effect<LoadedBatch<E>, E> =>
  Effect.map(read(batch, buffer), (data) => ({ ...batch, data, normal: batch.pages, zero: PageRuns.empty }))

const loadPresent = <E>(
  batch: PageBatch<E>,
  normal: PageRuns.PageRuns,
  buffer: (length: number) => Uint8Array
): Effect.Effect<LoadedBatch<E>, E> => {
  const zero = PageRuns.difference(batch.pages, normal)
  return normal.length === 0
    ? Effect.succeed({ ...batch, data: noBytes, normal, zero })
    : Effect.map(read(batch, buffer), (data) => ({ ...batch, data, normal, zero }))
}

const noBytes = new Uint8Array(0)

const presentPages = (batch: PageBatch<unknown>, present: PageBitmap): PageRuns.PageRuns => {
  const { pageSize } = batch.block
  return PageRuns.intersect(batch.pages, present.runs(batch.offset / pageSize, batch.length / pageSize))
}

const read = <E>(batch: PageBatch<E>, buffer: (length: number) => Uint8Array): Effect.Effect<Uint8Array, E> =>
  Effect.suspend(() => {
    const { reader } = batch.block
    if (reader.view !== undefined) return Effect.succeed(reader.view(batch.offset, batch.length))
    const data = buffer(batch.length)
    return Effect.as(reader.readInto(batch.offset, data, batch.pages), data)
  })
