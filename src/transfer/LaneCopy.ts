/**
 * Copies the pages of a batch on a lane: from a file or shared memory to a file or shared memory, without touching a
 * byte in this thread.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as FileError from "../io/files/FileError.ts"
import type * as LaneJob from "../lanes/LaneJob.ts"
import { Lanes } from "../lanes/Lanes.ts"
import type { ExtentDigests, FileRange, RangeChecks } from "../ram/FileRange.ts"
import type { PageBatch } from "../ram/PageBatch.ts"
import * as PageRuns from "../ram/PageRuns.ts"
import type { PageWriter } from "../ram/PageWriter.ts"
import type * as RamBlock from "../ram/RamBlock.ts"
import { reportingFailure } from "./FirstError.ts"

/**
 * Bytes in a batch by default if lanes move it: a message there and back takes as long as moving 100 KiB, and zero
 * pages are searched for without a turn of the event loop.
 *
 * @internal
 */
export const batchSize = 8 * 1024 * 1024

/** Below this, the thread pool is no slower. */
const MIN_BYTES = 2 * 1024 * 1024

/** Bytes of RAM that justify starting threads. */
const MIN_TOTAL = 32 * 1024 * 1024

/**
 * One end of a copy.
 *
 * @internal
 */
export type End<E> = FileRange<E> | SharedMemory

interface SharedMemory {
  readonly memory: SharedArrayBuffer
  readonly position: number
}

/**
 * The lanes, if there are any; the first time, this starts them.
 *
 * @internal
 */
export const lanes: Effect.Effect<Lanes | undefined> = Effect.flatMap(Effect.service(Lanes), (lanes) =>
  lanes === undefined ? Effect.succeed(undefined) : Effect.map(lanes.start, (started) => (started ? lanes : undefined))
)

const shared = (view: Uint8Array | undefined): SharedMemory | undefined =>
  view?.buffer instanceof SharedArrayBuffer ? { memory: view.buffer, position: view.byteOffset } : undefined

/**
 * The source of pages, and their expected digests.
 *
 * @internal
 */
export interface Source<out E> {
  readonly end: End<E>
  readonly checks: ExtentDigests | undefined
  readonly damage: RangeChecks<E>["failure"] | undefined
}

/** Smaller or larger extents are unsuitable pieces of work for a lane. */
const MIN_EXTENT = 64 * 1024
const MAX_EXTENT = 4 * 1024 * 1024

const isPiece = ({ pagesPerExtent }: ExtentDigests, pageSize: number): boolean =>
  pagesPerExtent * pageSize >= MIN_EXTENT && pagesPerExtent * pageSize <= MAX_EXTENT

/**
 * The pages of a batch in the file of its block; `undefined`: a lane cannot check them.
 *
 * @internal
 */
export const fromFile = <E>(
  range: FileRange<E>,
  { block, length, offset, pages }: PageBatch<unknown>
): Source<E> | undefined => {
  const end = { ...range, position: range.position + offset }
  if (range.checks === undefined) return { end, checks: undefined, damage: undefined }
  const isWhole = PageRuns.pages(pages) * block.pageSize === length
  const checks = isWhole ? range.checks.of(offset, length) : undefined
  if (checks === undefined || !isPiece(checks, block.pageSize)) return undefined
  return { end, checks, damage: range.checks.failure }
}

/**
 * The location of a batch's pages, if a lane can read them there.
 *
 * @internal
 */
export const sourceOf = <E>(batch: PageBatch<E>): Source<E> | undefined => {
  const { reader } = batch.block
  if (reader.inFile !== undefined) return fromFile(reader.inFile, batch)
  const end = shared(reader.view?.(batch.offset, batch.length))
  return end === undefined ? undefined : { end, checks: undefined, damage: undefined }
}

/**
 * The destination of a batch's pages, if a lane can write them there.
 *
 * @internal
 */
export const targetOf = <E>(
  { inFile, view }: PageWriter<E>,
  { length, offset }: PageBatch<unknown>
): End<E> | undefined =>
  inFile === undefined ? shared(view?.(offset, length)) : { ...inFile, position: inFile.position + offset }

const isShared = (view: ((offset: number, length: number) => Uint8Array) | undefined): boolean =>
  shared(view?.(0, 0)) !== undefined

const isLarge = (blocks: ReadonlyArray<RamBlock.Shape>): boolean =>
  blocks.reduce((sum, { usedLength }) => sum + usedLength, 0) >= MIN_TOTAL

/**
 * `true` if lanes can read all pages of the blocks, and are worthwhile, so that batches should have the size for lanes.
 *
 * @internal
 */
export const canRead = (blocks: ReadonlyArray<RamBlock.Readable<unknown>>): boolean =>
  isLarge(blocks) && blocks.every(({ reader }) => reader.inFile !== undefined || isShared(reader.view))

const canWrite = (blocks: ReadonlyArray<RamBlock.Writable<unknown>>): boolean =>
  isLarge(blocks) && blocks.every(({ writer }) => writer.inFile !== undefined || isShared(writer.view))

/**
 * `true` if a batch is worth a message.
 *
 * @internal
 */
export const isWorthIt = ({ block, pages }: PageBatch<unknown>): boolean =>
  PageRuns.pages(pages) * block.pageSize >= MIN_BYTES

/**
 * `true` if lanes fill the blocks, so that batches should have the size for lanes.
 *
 * @internal
 */
export const suit = (options: {
  readonly blocks: ReadonlyArray<RamBlock.Writable<unknown>>
  readonly directIo?: boolean | undefined
}): Effect.Effect<boolean> =>
  options.directIo === true || !canWrite(options.blocks)
    ? Effect.succeed(false)
    : Effect.map(lanes, (lanes) => lanes !== undefined)

const lend = <E, A, E2>(end: End<E>, use: (place: LaneJob.Place) => Effect.Effect<A, E2>): Effect.Effect<A, E | E2> =>
  "memory" in end
    ? use({ memory: end.memory, position: end.position })
    : end.lend((fd) => use({ fd, position: end.position }))

const causeOf = ({ error }: LaneJob.CallFailed): Error | undefined =>
  error === undefined ? undefined : Object.assign(new Error(error.message), error)

interface Ends<E, E2> {
  readonly source: Source<E>
  /** `undefined`: the pages go nowhere. */
  readonly target: End<E2> | undefined
  /** The file for the error of a lane that has ended. */
  readonly path: string
}

type Outcome<E> = Effect.Effect<LaneJob.Copied, E | FileError.FileError>

const failedCall = <E, E2>({ source, target }: Ends<E, E2>, answer: LaneJob.CallFailed): Outcome<E | E2> => {
  const end = answer.end === "source" ? source.end : target
  if (end === undefined || "memory" in end) return Effect.die(new Error("memory has no calls"))
  return Effect.fail(end.failure({ ...answer, cause: causeOf(answer) }))
}

const outcomeOf = <E, E2>(ends: Ends<E, E2>, answer: LaneJob.Answer): Outcome<E | E2> => {
  switch (answer._tag) {
    case "Copied":
      return Effect.succeed(answer)
    case "Damaged": {
      const { damage } = ends.source
      return damage === undefined ? Effect.die(new Error("nothing was checked")) : Effect.fail(damage(answer.extents))
    }
    case "CallFailed":
      return failedCall(ends, answer)
    case "LaneDied": {
      const call = { operation: "write", path: ends.path, code: "EIO" } as const
      return Effect.fail(new FileError.WorkerDiedError({ ...call, cause: new Error(answer.reason) }))
    }
    case "Cancelled":
      return Effect.interrupt
  }
}

/**
 * Copies pages on a lane. Interruption cancels the copy; a failure during that is reported as a later one.
 *
 * @internal
 */
export const copy = <E, E2>(
  lanes: Lanes,
  ends: Ends<E, E2>,
  job: Omit<LaneJob.CopyJob, "source" | "target" | "checks">
): Outcome<E | E2> => {
  const late = (answer: LaneJob.Answer) =>
    answer._tag === "Cancelled" ? Effect.void : Effect.ignore(reportingFailure(outcomeOf(ends, answer)))
  const { checks, end } = ends.source
  const run = (source: LaneJob.Place, target: LaneJob.Place | undefined) =>
    Effect.flatMap(lanes.copy({ ...job, checks, source, target }, late), (answer) => outcomeOf(ends, answer))
  return lend(end, (source): Outcome<E | E2> =>
    ends.target === undefined ? run(source, undefined) : lend(ends.target, (target) => run(source, target))
  )
}

/**
 * Reads the pages of a batch on a lane, and compares them where there is something to compare with.
 *
 * @internal
 */
export const read = <E>(
  lanes: Lanes,
  source: Source<E>,
  batch: PageBatch<E>,
  digests?: LaneJob.CopyJob["digests"]
): Outcome<E> => {
  const { block, length, offset, pages } = batch
  const { pageSize, reader } = block
  const normal = reader.present?.runs(offset / pageSize, length / pageSize)
  const job = { pageSize, pages, normal, gap: 0, clear: PageRuns.empty, digests }
  return copy(lanes, { source, target: undefined, path: block.storage?.path ?? block.idstr }, job)
}
