/**
 * The channel that writes pages to their offsets in a mapped-ram file.
 *
 * ```text
 * batch        ██··█·██████·····██      █ normal page   · zero page
 * bits         11001011111100000 11
 * writes       ╰────────────╯     ╰╯    runs with at most `coalescePages` zero pages between them are one write
 *              │
 *              pagesOffset + offset in the block
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as AlignedMemory from "../io/files/AlignedMemory.ts"
import * as FileError from "../io/files/FileError.ts"
import * as PositionalFile from "../io/files/PositionalFile.ts"
import type * as Lanes from "../lanes/Lanes.ts"
import type { FailedCall } from "../ram/FileRange.ts"
import * as PageBatch from "../ram/PageBatch.ts"
import type { PageBitmap } from "../ram/PageBitmap.ts"
import * as PageRuns from "../ram/PageRuns.ts"
import type { PageDigests } from "../format/seal/PageDigests.ts"
import type { Channel } from "../transfer/Channel.ts"
import { layOut } from "./internal/extents.ts"
import { makeBuffer } from "../transfer/ChannelBuffer.ts"
import { reportingFailure } from "../transfer/FirstError.ts"
import * as LaneCopy from "../transfer/LaneCopy.ts"
import * as PipelineOptions from "../transfer/PipelineOptions.ts"
import * as RateLimit from "../transfer/RateLimit.ts"
import * as TransferCounters from "../transfer/TransferCounters.ts"

/**
 * The destination of a block's pages.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Target {
  /** Absolute file offset of page 0. */
  readonly pagesOffset: number
  /**
   * The block's file bitmap, shared by all channels. The bit of a written page is set and that of a zero page is
   * cleared, regardless of earlier rounds. It is only in memory: the writer of the block's header writes it to the
   * file, after the last sync.
   */
  readonly bitmap: PageBitmap
  /** Takes the digests of written pages, shared by all channels. Default: none are computed. */
  readonly digests?: PageDigests | undefined
}

/**
 * Options of a file channel.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** 0 ≤ id < number of channels. */
  readonly id: number
  /** The existing file; each channel opens it separately. */
  readonly path: string
  /** Bypasses the page cache. Pages must then be multiples of 4096 bytes, or writing fails with `EINVAL`. */
  readonly directIo?: boolean | undefined
  /** By `idstr`: every block of the batches. */
  readonly blocks: ReadonlyMap<string, Target>
  /** See `PipelineOptions`. */
  readonly coalescePages?: number | undefined
  /** Counts the moved data. */
  readonly counters?: TransferCounters.TransferCounters | undefined
  /** Called after each write with the number of bytes, such as `SyncAhead`'s. */
  readonly written?: ((bytes: number) => void) | undefined
  /** The migration's limit. Default: none. */
  readonly rateLimit?: RateLimit.RateLimit | undefined
}

/**
 * Opens a channel that writes batches to a mapped-ram file.
 *
 * **Details**
 *
 * Pages in process memory are written in place. Others are read into the channel's own buffer of one batch. With
 * `directIo`, memory that is not known to be page aligned (see `AlignedMemory`) is copied through that buffer as well.
 *
 * A zero page between two normal ones may be written along with them (`coalescePages`); its bit stays clear, and its
 * bytes in the file are meaningless. A page outside the batch is never written: the maker of the batch may want it
 * unchanged in the file.
 *
 * A batch is with the kernel when `transfer` returns, so `sync` has nothing to do (QEMU's sync is local for files as
 * well). `finish` makes the file durable and closes the descriptor. All errors have the step `ram`, the channel, and
 * the place in the block.
 *
 * **Failure effect**: some pages of the batch may be in the file; their bits are not set. A release without `finish`
 * syncs the written data before it closes, and logs failures.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Channel<FileError.FileError>, FileError.FileError, Scope.Scope> {
  const { id, blocks, counters, rateLimit, written } = options
  const directIo = options.directIo ?? false
  const coalescePages = options.coalescePages ?? PipelineOptions.limits.coalescePages.default
  const onChannel = Effect.mapError(FileError.at({ step: "ram", channel: id }))

  const file = yield* onChannel(PositionalFile.open(options.path, { access: "write", directIo }))
  const buffer = makeBuffer()

  const recordStored = (batch: PageBatch.LoadedBatch<unknown>, bitmap: PageBitmap) => {
    const first = batch.offset / batch.block.pageSize
    bitmap.setRuns(first, batch.normal)
    bitmap.clearRuns(first, batch.zero)
    if (counters !== undefined) TransferCounters.add(counters, batch, 0)
  }

  const count = (bytes: number): void => {
    if (counters !== undefined) counters.bytes += bytes
    if (written !== undefined && bytes > 0) written(bytes)
  }

  const write = (
    batch: PageBatch.LoadedBatch<unknown>,
    extents: ReadonlyArray<PositionalFile.Extent>
  ): Effect.Effect<void, FileError.FileError> =>
    file.writeExtents(extents).pipe(
      Effect.map(() => count(extents.reduce((sum, extent) => sum + extent.bytes.length, 0))),
      Effect.mapError(FileError.at({ step: "ram", channel: id, block: batch.block.idstr, offset: batch.offset })),
      reportingFailure
    )

  /** The work that a lane can do without this thread; `undefined`: none. */
  const onLane = <E>(
    batch: PageBatch.PageBatch<E>,
    lanes: Lanes.Lanes
  ): Effect.Effect<void, E | FileError.FileError> | undefined => {
    const { idstr, pageSize } = batch.block
    const place = blocks.get(idstr)
    const source = LaneCopy.sourceOf(batch)
    if (place === undefined || source === undefined) return undefined
    const target = file.inFile?.("write", place.pagesOffset + batch.offset)
    if (target === undefined) return undefined
    const present = presentOf(batch)
    if (present?.length === 0) return undefined
    const { bitmap, digests } = place
    const job = { pageSize, pages: batch.pages, normal: present, gap: coalescePages, clear: PageRuns.empty }
    const at = FileError.at({ step: "ram", channel: id, block: idstr, offset: batch.offset })
    const placed = { ...target, failure: (call: FailedCall) => at(target.failure(call)) }
    return Effect.map(
      LaneCopy.copy(lanes, { source, target: placed, path: file.path }, { ...job, digests: digests?.algorithm }),
      ({ bytes, digests: taken, normal }) => {
        digests?.take(batch.offset / pageSize, taken, normal)
        count(bytes)
        recordStored({ ...batch, data: taken, normal, zero: PageRuns.difference(batch.pages, normal) }, bitmap)
      }
    )
  }

  const store = (batch: PageBatch.LoadedBatch<unknown>): Effect.Effect<void, FileError.FileError> => {
    const { idstr, pageSize } = batch.block
    const target = blocks.get(idstr)
    if (target === undefined) return Effect.die(new Error(`no place in the file is known for block ${idstr}`))
    target.digests?.record(batch.offset / pageSize, batch.data, batch.normal)
    const runs = coalesce(batch, coalescePages)
    const memory =
      directIo && !AlignedMemory.isAligned(batch.data) ? copyRuns(batch, runs, buffer(batch.length)) : batch.data
    const extents = layOut(memory, runs, pageSize, target.pagesOffset + batch.offset)
    const writing =
      rateLimit === undefined
        ? write(batch, extents)
        : RateLimit.writeExtents(rateLimit, extents, (piece) => write(batch, piece))
    return Effect.map(writing, () => recordStored(batch, target.bitmap))
  }

  return {
    id,
    transfer: (batch) => {
      const plain = Effect.flatMap(PageBatch.load(batch, buffer), store)
      const isLimited = rateLimit !== undefined && rateLimit.bytesPerSecond() > 0
      if (isLimited || !LaneCopy.isWorthIt(batch)) return plain
      return Effect.flatMap(LaneCopy.lanes, (lanes) => (lanes && onLane(batch, lanes)) ?? plain)
    },
    sync: Effect.void,
    finish: reportingFailure(onChannel(Effect.andThen(file.sync, file.close)))
  }
})

/** The pages of a batch that its block marks present. */
const presentOf = ({ block, length, offset, pages }: PageBatch.PageBatch<unknown>): PageRuns.PageRuns | undefined => {
  const { pageSize, reader } = block
  const present = reader.present?.runs(offset / pageSize, length / pageSize)
  return present === undefined ? undefined : PageRuns.intersect(pages, present)
}

/** The normal pages, and short gaps of zero pages between them. */
const coalesce = ({ normal, pages }: PageBatch.LoadedBatch<unknown>, atMost: number): PageRuns.PageRuns => {
  const merged = PageRuns.merge(normal, atMost)
  return pages.length === 2 ? merged : PageRuns.intersect(merged, pages)
}

const copyRuns = (
  { data, block }: PageBatch.LoadedBatch<unknown>,
  runs: PageRuns.PageRuns,
  target: Uint8Array
): Uint8Array => {
  PageRuns.forEach(runs, (first, count) => {
    const start = first * block.pageSize
    target.set(data.subarray(start, start + count * block.pageSize), start)
  })
  return target
}
