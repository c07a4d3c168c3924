import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Finding } from "../../format/Finding.ts"
import * as MigrationStream from "../../format/stream/MigrationStream.ts"
import * as ByteSource from "../../snapshot/ByteSource.ts"
import * as MachineState from "../../snapshot/MachineState.ts"
import * as SnapshotSource from "../../snapshot/SnapshotSource.ts"
import * as SnapshotTarget from "../../snapshot/SnapshotTarget.ts"
import * as Pipeline from "../../transfer/Pipeline.ts"
import * as PipelineOptions from "../../transfer/PipelineOptions.ts"
import * as RateLimit from "../../transfer/RateLimit.ts"
import * as SinkChannel from "../../transfer/SinkChannel.ts"
import * as ImageTarget from "../../image/ImageTarget.ts"
import * as Location from "../../image/Location.ts"
import type { MigrationError, SaveOptions } from "./migrationModel.ts"
import * as Problem from "../../ram/Problem.ts"
import type { Progress } from "../Progress.ts"
import * as Convergence from "./convergence.ts"
import { checkBlocks, checkTarget, optionProblems, refuse } from "./request.ts"
import * as Source from "./machineJobs.ts"

const END_OF_STREAM = Uint8Array.of(MigrationStream.SectionType.endOfStream)

/** What follows RAM's END. */
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

/**
 * Saves a machine into a target.
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
export const save = Effect.fnUntraced(function* <E>(
  options: SaveOptions<E>,
  progress: Progress,
  last: SnapshotTarget.LastStep
): Effect.fn.Return<void, MigrationError | E, Scope.Scope> {
  const { live, maxBandwidth } = options
  yield* progress.enter("setup")
  const settings = yield* PipelineOptions.make({
    ...options,
    batchSize: SnapshotSource.wholeUnits(options.batchSize ?? PipelineOptions.limits.batchSize.default, options)
  })
  const blocks = SnapshotSource.blocksWithPages(options)
  yield* checkBlocks("save", blocks)
  yield* refuse("save", [
    ...optionProblems({ maxBandwidth }),
    ...Convergence.problems(live),
    ...ImageTarget.problems(options)
  ])
  const machine = options.machineState ?? MachineState.empty({ pageSize: blocks[0]!.pageSize })
  const { configuration, origin, prelude, ramSectionId } = machine
  const location = Location.make(options.target)
  yield* checkTarget(location, origin, blocks)
  const target = yield* ImageTarget.make(location, options)
  const source = yield* Source.make({ ...settings, blocks, machine, live, progress })
  const rateLimit = yield* RateLimit.of(maxBandwidth)
  yield* SnapshotTarget.fill(target, {
    machine: { configuration, prelude, ramSectionId, blocks: options.blocks },
    transfer: { counters: progress.counters, coalescePages: settings.coalescePages },
    ram: Effect.fnUntraced(function* (writer) {
      const open = yield* openChannels(writer, rateLimit)
      yield* Pipeline.run({ source: source.jobs, channels: settings.channels, queueDepth: settings.queueDepth, open })
      return source.machine()
    }),
    state: (writer) => writeState(writer, source.machine()),
    enter: progress.enter,
    last
  }).pipe(
    Effect.catchIf(
      (error) => error instanceof Finding,
      ({ message }) => refuse("save", [Problem.make(message, "use a target that takes this machine")])
    )
  )
})

/** The target's own channels, or those that go through its sinks. */
const openChannels = Effect.fnUntraced(function* <E>(
  { openSinks, saveChannel }: SnapshotTarget.RamWriter<unknown, E>,
  rateLimit: RateLimit.RateLimit
) {
  if (saveChannel !== undefined) return (id: number) => saveChannel(id, rateLimit)
  const sinks = yield* openSinks
  return (id: number) => Effect.succeed(SinkChannel.make({ id, sinks, rateLimit }))
})
