import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Finding } from "../../format/Finding.ts"
import * as MigrationStream from "../../format/stream/MigrationStream.ts"
import * as ByteSource from "../../snapshot/ByteSource.ts"
import * as MachineState from "../../snapshot/MachineState.ts"
import * as SnapshotSource from "../../snapshot/SnapshotSource.ts"
import * as SnapshotTarget from "../../snapshot/SnapshotTarget.ts"
import * as LaneCopy from "../../transfer/LaneCopy.ts"
import * as Pipeline from "../../transfer/Pipeline.ts"
import * as PipelineOptions from "../../transfer/PipelineOptions.ts"
import * as RateLimit from "../../transfer/RateLimit.ts"
import * as SinkChannel from "../../transfer/SinkChannel.ts"
import type { MigrationError, WriteOptions } from "./migrationModel.ts"
import * as Problem from "../../ram/Problem.ts"
import type { Progress } from "../Progress.ts"
import * as Convergence from "./convergence.ts"
import { checkApart, checkBlocks, optionProblems, refuse } from "./request.ts"
import * as Source from "./machineJobs.ts"
import { openTarget } from "./target.ts"

const END_OF_STREAM = Uint8Array.of(MigrationStream.SectionType.endOfStream)

/** The data after RAM's END. */
const writeState = Effect.fnUntraced(function* <E, E2>(
  { write }: SnapshotTarget.StateWriter<unknown, E2>,
  { description, deviceState }: MachineState.MachineState<E>
): Effect.fn.Return<SnapshotTarget.StateLayout, E | E2> {
  yield* ByteSource.forEach(deviceState, write)
  yield* write(END_OF_STREAM)
  const layout = { deviceState: { position: 0, length: deviceState.length } }
  if (description.length === 0) return { ...layout, description: { position: deviceState.length + 1, length: 0 } }
  const opening = MigrationStream.encodeDescriptionHeader(description.length)
  yield* write(opening)
  yield* ByteSource.forEach(description, write)
  const position = deviceState.length + END_OF_STREAM.length + opening.length
  return { ...layout, description: { position, length: description.length } }
})

/** The operation that the caller requested. */
type Operation = "save" | "convert"

/**
 * Moves a machine into a target. A snapshot's bitmaps are known, so its pages are copied without being examined.
 *
 * ```text
 *   setup    what was asked for is checked; the target is opened, and accepts the machine
 *   ram      rounds of scan → queue → channels, a sync behind each
 *   device   RAM's END, device state, description, and what else the target needs to be complete
 *   sync     durable, under its name
 * ```
 *
 * @internal
 */
export const save = Effect.fnUntraced(function* <E, A, E2>(
  operation: Operation,
  source: SnapshotSource.MachineSource<E>,
  options: WriteOptions<A, E2>,
  progress: Progress,
  last: SnapshotTarget.LastStep<A>
): Effect.fn.Return<A, MigrationError | E | E2, Scope.Scope> {
  const { maxBandwidth } = options
  const { live, machineState, notes } = source
  yield* progress.enter("setup")
  const settings = yield* PipelineOptions.make({
    ...options,
    batchSize: SnapshotSource.wholeUnits(options.batchSize ?? (yield* defaultBatchSize(source, options)), source)
  })
  const blocks = SnapshotSource.blocksWithPages(source)
  yield* checkBlocks(operation, blocks)
  const machine = machineState ?? MachineState.empty({ pageSize: blocks[0]?.pageSize })
  const { configuration, prelude, ramSectionId } = machine
  const problems = [...optionProblems({ maxBandwidth }), ...Convergence.problems(live)]
  const target = yield* openTarget(operation, options, notes, problems)
  yield* checkApart(operation, { blocks, origin: machine.origin, storage: source.storage }, target)
  const jobs = yield* Source.make({ ...settings, blocks, machine, live, progress })
  const rateLimit = yield* RateLimit.of(maxBandwidth)
  return yield* SnapshotTarget.fill<A, E2 | MigrationError, E | E2 | MigrationError, Scope.Scope>(target, {
    machine: { configuration, prelude, ramSectionId, notes, blocks: source.blocks },
    transfer: { counters: progress.counters, coalescePages: settings.coalescePages },
    ram: Effect.fnUntraced(function* (writer) {
      const open = yield* openChannels(writer, rateLimit)
      yield* Pipeline.run({ source: jobs.jobs, channels: settings.channels, queueDepth: settings.queueDepth, open })
      return jobs.machine()
    }),
    state: (writer) => writeState(writer, jobs.machine()),
    enter: progress.enter,
    last
  }).pipe(
    Effect.catchIf(
      (error) => error instanceof Finding,
      ({ message }) =>
        Effect.andThen(refuse(operation, [Problem.make(message, "use a target that takes this machine")]), Effect.never)
    )
  )
})

/** Larger if lanes move the batches to an image, because they search for zero pages without blocking the event loop. */
const defaultBatchSize = Effect.fnUntraced(function* <A, E>(
  source: Pick<SnapshotSource.MachineSource<unknown>, "blocks">,
  { directIo, target }: WriteOptions<A, E>
) {
  const plain = PipelineOptions.limits.batchSize.default
  if (directIo === true || SnapshotTarget.isSnapshotTarget(target)) return plain
  if (!LaneCopy.canRead(SnapshotSource.blocksWithPages(source))) return plain
  return (yield* LaneCopy.lanes) === undefined ? plain : LaneCopy.batchSize
})

/** The target's own channels, or channels through its sinks. */
const openChannels = Effect.fnUntraced(function* <E>(
  { openSinks, saveChannel }: SnapshotTarget.RamWriter<unknown, E>,
  rateLimit: RateLimit.RateLimit
) {
  if (saveChannel !== undefined) return (id: number) => saveChannel(id, rateLimit)
  const sinks = yield* openSinks
  return (id: number) => Effect.succeed(SinkChannel.make({ id, sinks, rateLimit }))
})
