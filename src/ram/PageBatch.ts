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
 * Pages of one block, in ascending order, that one channel handles as one job. A batch names pages and holds no bytes.
 * The channel that takes it reads them, so a queue of batches holds no page data.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface PageBatch<out E = never> {
  readonly block: RamBlock.Readable<E>
  /** Byte offset of the batch in the block, page aligned. */
  readonly offset: number
  /** Bytes from the first page to the end of the last page of the batch. */
  readonly length: number
  /** The pages of the range that belong to the batch, relative to `offset`. A full scan includes all of them. */
  readonly pages: PageRuns.PageRuns
}

/**
 * A batch whose bytes have been read and whose zero pages are known.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface LoadedBatch<out E = never> extends PageBatch<E> {
  /**
   * The bytes of the whole range, gaps included; valid until the batch's job ends. Empty if the block's bitmap says
   * that no page of the batch is present: then nothing was read.
   */
  readonly data: Uint8Array
  /**
   * The pages of the batch that are not all zeros. If a bitmap decided, these are the present pages, which may hold
   * zeros.
   */
  readonly normal: PageRuns.PageRuns
  /** The pages of the batch that are all zeros. */
  readonly zero: PageRuns.PageRuns
}

/**
 * Reads a batch and separates its zero pages. Pages in process memory are viewed; others are read into
 * `buffer(length)`, which returns `length` bytes that belong to the batch until its job ends.
 *
 * **Details**
 *
 * If the block's reader knows which pages are present, its bitmap decides which pages are zero and no byte is examined.
 * A batch without any present page is not read at all. Otherwise each page is examined. Either way the batch bounds the
 * work between two turns of the event loop.
 *
 * Fails with the errors of the block's reader, and has no other effect then.
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
 * Separates the zero pages of a batch without keeping its bytes. If the block's reader knows which pages are present,
 * nothing is read.
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
 * Reads a batch and treats all of its pages as normal, regardless of their bytes and of any bitmap. Absent pages are
 * zeros in `data`. For callers that have separated zero pages before, or want them sent.
 *
 * **Gotchas**
 *
 * The whole batch is read. A batch joined from absent pages would take up to 64 MiB.
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
