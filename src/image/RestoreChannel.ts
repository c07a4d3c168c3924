/**
 * The channel that reads pages from their offsets in a mapped-ram file into RAM blocks.
 *
 * ```text
 * bits         11001011111100000011     1 present · the bytes under 0 are stale: nobody may see them
 * reads        ╰────────────╯    ╰╯     runs with a few absent pages between them are one read
 * cleared        ▲▲ ▲                   at once, where they were read to
 *
 *              straight to the pages, where they lie in process memory
 *              by way of the channel's buffer, where they lie in a file
 *
 * absent pages that were not read along: made zero, unless the block is fresh
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as AlignedMemory from "../io/files/AlignedMemory.ts"
import * as FileError from "../io/files/FileError.ts"
import type { FileIdentity } from "../io/files/FileIdentity.ts"
import * as PositionalFile from "../io/files/PositionalFile.ts"
import type * as Lanes from "../lanes/Lanes.ts"
import type { FailedCall, RangeChecks } from "../ram/FileRange.ts"
import type { PageBatch } from "../ram/PageBatch.ts"
import type { PageBitmap } from "../ram/PageBitmap.ts"
import * as PageRuns from "../ram/PageRuns.ts"
import type { PageWriter } from "../ram/PageWriter.ts"
import type { Channel } from "../transfer/Channel.ts"
import { layOut } from "./internal/extents.ts"
import { makeBuffer } from "../transfer/ChannelBuffer.ts"
import { reportingFailure } from "../transfer/FirstError.ts"
import * as PipelineOptions from "../transfer/PipelineOptions.ts"
import * as LaneCopy from "../transfer/LaneCopy.ts"
import * as TransferCounters from "../transfer/TransferCounters.ts"

/**
 * The origin and the destination of a block's pages.
 *
 * @category models
 * @since 0.1.0
 */
export interface Place<out E = never> {
  /** Absolute file offset of page 0. */
  readonly pagesOffset: number
  /** The block's file bitmap: the pages in the file. */
  readonly bitmap: PageBitmap
  /** Takes the pages. Its opener syncs it after the pipeline has ended. */
  readonly writer: PageWriter<E>
  /**
   * Checks the bytes of a batch after reading and before use, with absent pages in gaps as zeros; clears the bytes for
   * which it fails. Default: no check.
   */
  readonly verify?: ((offset: number, data: Uint8Array) => Effect.Effect<void, E>) | undefined
  /** The same for a lane, which looks at the bytes itself. Default: where there is a `verify`, lanes are left out. */
  readonly checks?: RangeChecks<E> | undefined
}

/**
 * Options of a restoring channel.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<out E = never> {
  /** 0 ≤ id < number of channels. */
  readonly id: number
  /** The image; each channel opens it separately. */
  readonly path: string
  /** The expected identity of `path`, if the file is already open: another file fails with `FileReplacedError`. */
  readonly identity?: FileIdentity | undefined
  /** Bypasses the page cache. Pages must then be multiples of 4096 bytes, or reading fails with `EINVAL`. */
  readonly directIo?: boolean | undefined
  /** By `idstr`: every block of the batches. */
  readonly blocks: ReadonlyMap<string, Place<E>>
  /** See `PipelineOptions`; for blocks in files. */
  readonly coalescePages?: number | undefined
  /** Counts the moved data. */
  readonly counters?: TransferCounters.TransferCounters | undefined
}

/**
 * Largest gap of absent pages between two runs that is read along if the pages are in process memory. Measured with a
 * warm page cache: with gaps of one page, one large read takes half the time of many small ones. With two it is 1.2 ×
 * faster, with four 1.2 × slower, because the gap must be cleared again.
 */
const memoryCoalescePages = 2

/**
 * Opens a channel that restores batches from a mapped-ram file. A batch names its pages by the block's name; the
 * block's own reader is not used, because the channel reads with its own descriptor.
 *
 * **Details**
 *
 * Pages in process memory are read in place, without a copy. Pages of a block in a file are read into the channel's own
 * buffer of one batch and written from there. With `directIo`, so are pages in memory that is not page aligned. Runs
 * with small gaps between them are read together. The stale bytes of a gap are cleared before anything else happens,
 * even if the read failed. In a file, such a gap is written as zeros.
 *
 * `sync` and `finish` have nothing to make durable; `finish` closes the descriptor. Errors of the image have the step
 * `ram`, the channel, and the place in the block; errors of a writer are passed on.
 *
 * **Failure effect**: each of the batch's pages holds the image's bytes, zeros, its old content, or, if reading it
 * failed, a mix of both.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* <E = never>(
  options: Options<E>
): Effect.fn.Return<Channel<FileError.FileError | E>, FileError.FileError, Scope.Scope> {
  const { id, blocks, counters } = options
  const directIo = options.directIo ?? false
  const coalescePages = options.coalescePages ?? PipelineOptions.limits.coalescePages.default
  const onChannel = Effect.mapError(FileError.at({ step: "ram", channel: id }))

  const file = yield* onChannel(
    PositionalFile.open(options.path, { access: "read", directIo, identity: options.identity })
  )
  const buffer = makeBuffer()

  const readPages = (batch: PageBatch<unknown>, plan: Plan, place: Place<E>) => {
    const { idstr, pageSize } = batch.block
    const view = place.writer.view?.(batch.offset, batch.length)
    const straight = view !== undefined && !(directIo && !AlignedMemory.isAligned(view))
    const data = straight ? view : buffer(batch.length)
    const read = file
      .readExtents(layOut(data, plan.runs, pageSize, place.pagesOffset + batch.offset))
      .pipe(
        Effect.mapError(FileError.at({ step: "ram", channel: id, block: idstr, offset: batch.offset })),
        Effect.ensuring(Effect.sync(() => clear(data, plan.gaps, pageSize))),
        reportingFailure
      )
    const verified = place.verify === undefined ? read : Effect.andThen(read, place.verify(batch.offset, data))
    return straight ? verified : Effect.andThen(verified, writePages(batch, plan, place.writer, data))
  }

  const record = (batch: PageBatch<unknown>, plan: Plan, bytes: number): void => {
    if (counters !== undefined) TransferCounters.add(counters, { block: batch.block, ...plan }, bytes)
  }

  /** Does without this thread what a lane can do; `undefined`: nothing. */
  const onLane = (batch: PageBatch<unknown>, plan: Plan, place: Place<E>, lanes: Lanes.Lanes) => {
    const { checks, pagesOffset, verify, writer } = place
    const { idstr, pageSize } = batch.block
    const target = LaneCopy.targetOf(writer, batch)
    const range = file.inFile?.("read", pagesOffset)
    if (target === undefined || range === undefined || (verify !== undefined && checks === undefined)) return undefined
    const at = FileError.at({ step: "ram", channel: id, block: idstr, offset: batch.offset })
    const failure = (call: FailedCall) => at(range.failure(call))
    const source = LaneCopy.fromFile<FileError.FileError | E>({ ...range, failure, checks }, batch)
    if (source === undefined) return undefined
    const { normal, zero } = plan
    const clear = writer.fresh ? PageRuns.empty : zero
    const gap = writer.view === undefined ? coalescePages : memoryCoalescePages
    const job = { pageSize, pages: batch.pages, normal, gap, clear, digests: undefined }
    const ends = { source, target, path: file.path }
    return Effect.map(LaneCopy.copy(lanes, ends, job), ({ bytes }) => record(batch, plan, bytes))
  }

  const restoreHere = (batch: PageBatch<unknown>, plan: Plan, place: Place<E>) => {
    const read = plan.runs.length === 0 ? Effect.void : readPages(batch, plan, place)
    return Effect.andThen(read, zeroPages(batch, plan, place.writer)).pipe(
      Effect.map(() => record(batch, plan, PageRuns.pages(plan.runs) * batch.block.pageSize))
    )
  }

  const restore = (batch: PageBatch<unknown>): Effect.Effect<void, FileError.FileError | E> => {
    const place = blocks.get(batch.block.idstr)
    if (place === undefined)
      return Effect.die(new Error(`no place in the image is known for block ${batch.block.idstr}`))
    const plan = planOf(batch, place.bitmap, place.writer.view === undefined ? coalescePages : memoryCoalescePages)
    const here = restoreHere(batch, plan, place)
    if (plan.runs.length === 0 || !LaneCopy.isWorthIt(batch)) return here
    return Effect.flatMap(LaneCopy.lanes, (lanes) => (lanes && onLane(batch, plan, place, lanes)) ?? here)
  }

  return {
    id,
    transfer: (batch) => Effect.suspend(() => restore(batch)),
    sync: Effect.void,
    finish: reportingFailure(onChannel(file.close))
  }
})

/** The work for one batch, relative to its start. */
interface Plan {
  /** Pages of the batch that are in the file. */
  readonly normal: PageRuns.PageRuns
  /** The other pages of the batch. */
  readonly zero: PageRuns.PageRuns
  /** The ranges to read: the normal pages, and the gaps between them. */
  readonly runs: PageRuns.PageRuns
  /** The zero pages that are read along. */
  readonly gaps: PageRuns.PageRuns
}

/** Only a batch of all pages of its range may have gaps: pages outside the batch must keep their bytes. */
const planOf = ({ block, length, offset, pages }: PageBatch<unknown>, bitmap: PageBitmap, gap: number): Plan => {
  const count = length / block.pageSize
  const present = bitmap.runs(offset / block.pageSize, count)
  if (PageRuns.pages(pages) !== count) {
    const normal = PageRuns.intersect(pages, present)
    return { normal, zero: PageRuns.difference(pages, present), runs: normal, gaps: PageRuns.empty }
  }
  const zero = PageRuns.complement(present, count)
  const runs = PageRuns.merge(present, gap)
  return { normal: present, zero, runs, gaps: runs === present ? PageRuns.empty : PageRuns.intersect(zero, runs) }
}

const clear = (data: Uint8Array, runs: PageRuns.PageRuns, pageSize: number): void =>
  PageRuns.forEach(runs, (first, count) => data.fill(0, first * pageSize, (first + count) * pageSize))

/** Writes in flight per channel: enough to keep the thread pool busy. */
const writesAtOnce = 16

const writePages = <E>(batch: PageBatch<unknown>, plan: Plan, writer: PageWriter<E>, data: Uint8Array) => {
  const { offset } = batch
  const write = ({ start, length }: Range) => writer.write(offset + start, data.subarray(start, start + length))
  return Effect.forEach(ranges(batch, plan.runs), write, { concurrency: writesAtOnce, discard: true })
}

const zeroPages = <E>(batch: PageBatch<unknown>, plan: Plan, writer: PageWriter<E>): Effect.Effect<void, E> => {
  if (writer.fresh || plan.zero.length === 0) return Effect.void
  const rest = PageRuns.difference(plan.zero, plan.gaps)
  const zero = ({ start, length }: Range) => writer.zero(batch.offset + start, length)
  return Effect.forEach(ranges(batch, rest), zero, { discard: true })
}

/** Bytes, relative to the batch. */
interface Range {
  readonly start: number
  readonly length: number
}

/** One effect per range, so ranges must not be single pages: short gaps have been joined by now. */
const ranges = ({ block }: PageBatch<unknown>, runs: PageRuns.PageRuns): ReadonlyArray<Range> => {
  const all: Array<Range> = []
  PageRuns.forEach(runs, (first, count) => all.push({ start: first * block.pageSize, length: count * block.pageSize }))
  return all
}
