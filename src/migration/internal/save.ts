import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type * as ImageStream from "../../format/image/ImageStream.ts"
import * as MigrationStream from "../../format/stream/MigrationStream.ts"
import * as AtomicFile from "../../io/files/AtomicFile.ts"
import type { FileError } from "../../io/files/FileError.ts"
import * as FileChannel from "../../image/FileChannel.ts"
import type * as Job from "../../transfer/Job.ts"
import * as Pipeline from "../../transfer/Pipeline.ts"
import * as PipelineOptions from "../../transfer/PipelineOptions.ts"
import * as RateLimit from "../../transfer/RateLimit.ts"
import * as SyncAhead from "../../image/SyncAhead.ts"
import * as Carried from "../../snapshot/Carried.ts"
import * as Integrity from "../../image/Integrity.ts"
import * as Location from "../../image/Location.ts"
import * as MachineState from "../../snapshot/MachineState.ts"
import type { MigrationError, SaveOptions } from "../Migration.ts"
import type { Progress } from "../Progress.ts"
import * as ImageWriter from "../../image/internal/imageWriter.ts"
import type { LastStep } from "./operation.ts"
import { bandwidthProblems, checkBlocks, checkTarget, keepProblems, liveProblems, refuse } from "./request.ts"
import * as Source from "./source.ts"

/** RAM's END and everything behind it; succeeds with the end of the stream. */
const writeState = Effect.fnUntraced(function* <E>(
  { file, writeEnd }: ImageWriter.ImageWriter,
  machine: MachineState.MachineState<E>
): Effect.fn.Return<number, E | FileError> {
  const stateStart = yield* writeEnd(machine)
  yield* Carried.copyTo(machine.deviceState, file, stateStart)
  const stateEnd = stateStart + machine.deviceState.length
  const endOfStream = Uint8Array.of(MigrationStream.SectionType.endOfStream)
  yield* file.write(stateEnd, endOfStream)
  if (machine.description.length === 0) return stateEnd + 1
  const opening = MigrationStream.encodeDescriptionHeader(machine.description.length)
  yield* file.write(stateEnd + 1, opening)
  const textStart = stateEnd + 1 + opening.length
  yield* Carried.copyTo(machine.description, file, textStart)
  return textStart + machine.description.length
})

/**
 * Writes an image.
 *
 * ```text
 *   setup    the new file, its length, the place of everything; in place: the old image's first bytes are wiped out
 *   ram      rounds of scan → queue → channels, a sync behind each; fdatasync of each channel
 *   device   bitmaps, block list, RAM's END, device state, description, checksums
 *   sync     fdatasync, the mark of the checksums, the first piece of the stream, fdatasync, rename, fsync of the directory
 * ```
 *
 * @internal
 */
export const save = Effect.fnUntraced(function* <E>(
  options: SaveOptions<E>,
  ignored: ReadonlyArray<ImageStream.HeadBlock>,
  progress: Progress,
  last: LastStep<void, MigrationError | E>
): Effect.fn.Return<void, MigrationError | E, Scope.Scope> {
  const { blocks, live, maxBandwidth, seal } = options
  yield* progress.enter("setup")
  const settings = yield* PipelineOptions.make(options)
  yield* checkBlocks("save", blocks)
  yield* refuse("save", [
    ...bandwidthProblems(maxBandwidth),
    ...liveProblems(live),
    ...Integrity.problems(seal),
    ...keepProblems(options)
  ])
  const machine = options.machineState ?? MachineState.empty({ pageSize: blocks[0]!.pageSize })
  const location = Location.make(options.target)
  yield* checkTarget(location, machine.origin, blocks)
  const target = yield* AtomicFile.make(location)
  const image = yield* ImageWriter.make(target, machine, [...blocks, ...ignored], options)
  const source = yield* Source.make({ ...settings, blocks, machine, live, progress })
  const rateLimit = yield* RateLimit.of(maxBandwidth)

  yield* progress.enter("ram")
  yield* transferPages(source.jobs, { ...settings, directIo: options.directIo, rateLimit }, image, progress)

  yield* progress.enter("device")
  yield* image.writeHead
  yield* image.writeSeal(yield* writeState(image, source.machine()))

  yield* progress.enter("sync")
  yield* image.commit(last)
})

type Transfer = PipelineOptions.PipelineOptions & Pick<FileChannel.Options, "directIo" | "rateLimit">

const transferPages = <E>(
  source: Stream.Stream<Job.Job<E>, E>,
  { channels, coalescePages, directIo, queueDepth, rateLimit }: Transfer,
  { path, syncing, targets }: ImageWriter.ImageWriter,
  { counters }: Progress
): Effect.Effect<void, MigrationError | E> =>
  Effect.gen(function* () {
    const { during, written } = yield* SyncAhead.make({ path, ...syncing })
    const shared = { path, directIo, blocks: targets, coalescePages, counters, written, rateLimit }
    yield* during(Pipeline.run({ source, channels, queueDepth, open: (id) => FileChannel.make({ ...shared, id }) }))
  }).pipe(Effect.scoped)
