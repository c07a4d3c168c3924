import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as MigrationStream from "../../format/stream/MigrationStream.ts"
import * as Connection from "../../io/sockets/Connection.ts"
import * as ConnectionError from "../../io/sockets/ConnectionError.ts"
import * as Acknowledgement from "../../multifd/Acknowledgement.ts"
import type { Channel } from "../../transfer/Channel.ts"
import * as MainChannel from "../../multifd/MainChannel.ts"
import * as PacketNumbers from "../../multifd/PacketNumbers.ts"
import * as Pipeline from "../../transfer/Pipeline.ts"
import * as RecordChannel from "../../multifd/RecordChannel.ts"
import * as SenderJobs from "../../multifd/SenderJobs.ts"
import * as SocketChannel from "../../multifd/SocketChannel.ts"
import * as Watchdog from "../../multifd/Watchdog.ts"
import type * as RamBlock from "../../ram/RamBlock.ts"
import * as ByteSource from "../../snapshot/ByteSource.ts"
import type { Progress } from "../Progress.ts"
import type { SendError, SendOptions } from "../SendOptions.ts"
import { preludeWith } from "../../multifd/ConnectionCommands.ts"
import { planSend, type SendPlan } from "./sendRequest.ts"
import * as Source from "./machineJobs.ts"

/** The parts of a migration in progress. */
interface Sending<E> {
  readonly plan: SendPlan<E>
  readonly options: SendOptions<unknown>
  readonly progress: Progress
  readonly watchdog: Watchdog.Watchdog
  readonly connection: Connection.Connection
  readonly main: MainChannel.MainChannel
  readonly source: Source.Source<E>
}

const connect = ({ limits }: SendPlan<unknown>, { tls, to }: SendOptions<unknown>, channel: number | "main") =>
  Connection.connect({ address: to, tls, connectTimeout: limits.handshakeTimeout }).pipe(
    Effect.mapError(ConnectionError.at({ channel }))
  )

/** Without its bitmap, an absent page is an ordinary one, and batches of absent pages are not joined. */
const withoutPresence = <E>(block: RamBlock.Readable<E>): RamBlock.Readable<E> => ({
  ...block,
  reader: { ...block.reader, present: undefined, inFile: undefined }
})

/** The data to send. Between rounds the peer has nothing to do, so this time does not count against it. */
const makeSource = <E>(
  { batchSize, source, zeroPages }: SendPlan<E>,
  progress: Progress,
  watchdog: Watchdog.Watchdog
) =>
  Source.make({
    ...source,
    blocks: zeroPages === "none" ? source.blocks.map(withoutPresence) : source.blocks,
    batchSize,
    coalescePages: 0,
    progress
  }).pipe(
    Effect.map(({ jobs, machine }) => ({
      jobs: Stream.transformPull(jobs, (pull) => Effect.succeed(watchdog.working(pull))),
      machine
    }))
  )

/** Device state, the end of the stream, description. */
const writeRest = Effect.fnUntraced(function* <E>(
  { main, source, watchdog }: Sending<E>,
  mayBeDone: Effect.Effect<void>
): Effect.fn.Return<void, E | Connection.TransferError> {
  const { description, deviceState } = source.machine()
  const copy = (carried: ByteSource.ByteSource<E>) =>
    ByteSource.forEach(
      { ...carried, readInto: (at, target) => watchdog.working(carried.readInto(at, target)) },
      (bytes) => main.write([bytes])
    )
  yield* copy(deviceState)
  yield* mayBeDone
  yield* main.write([Uint8Array.of(MigrationStream.SectionType.endOfStream)])
  if (description.length === 0) return
  yield* main.write([MigrationStream.encodeDescriptionHeader(description.length)])
  yield* copy(description)
})

/** With multifd one connection per channel; without it, the only channel is the main channel. */
const openChannel = <E>(
  { main, options, plan, progress, watchdog }: Sending<E>,
  packetNumbers: PacketNumbers.PacketNumbers
) => {
  const { channels, compression, pageSize, rateLimit, uuid, zeroPages } = plan
  const { counters } = progress
  return Effect.fnUntraced(function* (
    id: number
  ): Effect.fn.Return<
    Channel<SocketChannel.SocketChannelError>,
    Effect.Error<ReturnType<typeof connect>> | Effect.Error<ReturnType<typeof SocketChannel.make>>,
    Scope.Scope
  > {
    if (channels === 0) {
      return yield* RecordChannel.make({ main, detectZeroPages: zeroPages !== "none", counters, watchdog })
    }
    return yield* SocketChannel.make({
      id,
      connection: yield* connect(plan, options, id),
      uuid,
      pageSize,
      packetNumbers,
      detectZeroPages: zeroPages === "multifd",
      compression,
      counters,
      rateLimit,
      watchdog
    })
  })
}

/** Everything up to the end of our side of the main channel. */
const sendAll = Effect.fnUntraced(function* <E>(
  sending: Sending<E>,
  mayBeDone: Effect.Effect<void>
): Effect.fn.Return<void, E | SendError> {
  const { connection, main, options, plan, progress, source, watchdog } = sending
  const { counters } = progress
  const isLegacy = plan.channels > 0 && plan.zeroPages === "legacy"
  yield* main.begin
  yield* Pipeline.run({
    source: SenderJobs.withMarks(
      isLegacy ? SenderJobs.withZeroRecords(source.jobs, main, { counters, watchdog }) : source.jobs,
      main,
      {
        started: progress.enter("ram"),
        rest: Effect.andThen(progress.enter("device"), writeRest(sending, mayBeDone))
      }
    ),
    channels: plan.channels || 1,
    queueDepth: plan.queueDepth,
    open: openChannel(sending, PacketNumbers.make())
  })
  yield* progress.enter("sync")
  // A sender that waits for an answer keeps its side open until then: one that closes earlier has failed.
  const isAwaited = options.returnPath !== false && source.machine().description.length > 0
  if (isAwaited) return
  yield* Effect.mapError(connection.end, ConnectionError.at({ channel: "main" }))
})

/**
 * Sends a machine to a waiting destination.
 *
 * ```text
 *   setup    main connection, header; N connections, init packets; SYNC, RAM's START
 *   ram      rounds of scan → queue → channels: packets; SYNC, mark
 *   device   SYNC, RAM's END, device state, description; the end of every channel
 *   sync     the destination's answer that it has everything; the end of our side
 * ```
 *
 * When the destination has everything, its guest runs. `onTaken` runs then: after that, neither a failure nor an
 * interruption may resume the source's guest.
 *
 * @internal
 */
export const send = Effect.fnUntraced(function* <E>(
  options: SendOptions<E>,
  progress: Progress,
  onTaken: Effect.Effect<void>
): Effect.fn.Return<void, E | SendError, Scope.Scope> {
  yield* progress.enter("setup")
  const plan = yield* planSend(options)
  const { returnPath = true } = options
  const { announced, machine } = plan.source
  const connection = yield* connect(plan, options, "main")
  const { peer } = connection
  const watchdog = yield* Watchdog.make({
    peer,
    idleTimeout: plan.limits.idleTimeout,
    expected: "the peer to read or to acknowledge"
  })
  const main = MainChannel.make({
    connection,
    machine: { ...machine, prelude: preludeWith(machine.prelude, returnPath) },
    blocks: announced,
    marks: plan.marks,
    rateLimit: plan.rateLimit,
    watchdog,
    onWritten: progress.statistics.addMainBytes
  })
  const source = yield* makeSource(plan, progress, watchdog)
  const sending = { plan, options, progress, watchdog, connection, main, source }
  yield* watchdog.during(
    Acknowledgement.during((mayBeDone) => sendAll(sending, mayBeDone), { connection, returnPath, onTaken })
  )
})
