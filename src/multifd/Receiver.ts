/**
 * The receiving end of a migration over sockets: the main connection and N channels of one sender, as QEMU would
 * receive them.
 *
 * ```text
 *   sender                        receiver                                       target
 *   connections, any order ────▶  told apart by their first bytes
 *   configuration, block list ─▶  limits ─────────────────────────────────────▶  begin: a sink for each block
 *   ┌ packets on channels ─────▶  checked ────────────────────────────────────▶  sinks
 *   │ SYNCs, and a mark ───────▶  all channels stand at their SYNC; all go on
 *   └ … any number of epochs
 *   RAM's END ─────────────────▶  nothing is left on any channel ─────────────▶  endRam
 *   device state, description ─▶  in pieces ──────────────────────────────────▶  write
 *   end of all connections ────▶  everything is there, and whole ─────────────▶  finish, commit
 *   ◀──────────── SHUT 0, where the sender has opened a return path ──────────┘
 * ```
 *
 * With a return path the sender keeps its connections open until it hears of the success, so the description after the
 * device state marks its end. Only then, when everything is durable, is the success reported. A sender that has left
 * earlier has failed, and its guest may be running.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { Codec } from "../compression/Compression.ts"
import type { CompressionError, CompressorFailedError } from "../compression/CompressionError.ts"
import * as MigrationStream from "../format/stream/MigrationStream.ts"
import * as MultifdPacket from "../format/multifd/MultifdPacket.ts"
import type { Connection } from "../io/sockets/Connection.ts"
import * as ConnectionError from "../io/sockets/ConnectionError.ts"
import type { Listener } from "../io/sockets/Listener.ts"
import type { SnapshotTarget, Transfer } from "../snapshot/SnapshotTarget.ts"
import * as Epochs from "./Epochs.ts"
import { acceptConnections, type Accepted } from "./internal/acceptConnections.ts"
import { allOrFirstError } from "../transfer/FirstError.ts"
import { limitedConnection } from "./internal/limitedConnection.ts"
import { type MainStream, makeMainStream } from "./internal/mainStream.ts"
import { type Hooks as ReceiverHooks, receiveMain } from "./internal/receiveMain.ts"
import type { Limits } from "./PeerLimits.ts"
import type { PageSink } from "../transfer/PageSink.ts"
import type { ProtocolError } from "./ProtocolError.ts"
import type { RateLimit } from "../transfer/RateLimit.ts"
import * as ReceiveChannel from "./ReceiveChannel.ts"
import type { SenderLeftError } from "./SenderLeftError.ts"
import * as Watchdog from "./Watchdog.ts"
import type { Hooks } from "./internal/receiverModel.ts"

export type { Hooks } from "./internal/receiverModel.ts"

/**
 * Options of a receiver.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<in out A, in out E> {
  /** Accepts the connections of one sender, and is closed when all of them have arrived. */
  readonly listener: Listener
  /** 0 to 255, as on the sender; 0: a sender without multifd. */
  readonly channels: number
  /** Compression of the payloads, as on the sender. Default: none. */
  readonly codec?: Codec | undefined
  /** The guest's UUID, 16 bytes in textual order. Default: any, but the same on all channels. */
  readonly uuid?: Uint8Array | undefined
  /** Bytes in a page, unless the configuration gives the size. Default 4096. */
  readonly pageSize?: number | undefined
  readonly limits: Limits
  /** Limits the reading of all connections together. Default: no limit. */
  readonly rateLimit?: RateLimit | undefined
  readonly target: SnapshotTarget<A, E>
  readonly transfer: Transfer
  readonly hooks: Hooks<A>
  /** `true`: sends a SWITCHOVER_ACK if there is a return path. Default: by the machine type. */
  readonly switchoverAck?: boolean | undefined
  /**
   * `true`: a sender that waits for an answer may close without it once everything has arrived, as one does that is
   * cancelled then. Default `false`: it has failed (`SenderLeftError`).
   */
  readonly mayLeave?: boolean | undefined
  /** Takes the device state that devices send on the channels. Default: it is an error. */
  readonly onDevicePacket?: ((packet: ReceiveChannel.DevicePacket) => Effect.Effect<void, E>) | undefined
}

/**
 * Errors of receiving, besides those of the target.
 *
 * @category errors
 * @since 0.1.0
 */
export type ReceiverError =
  | Exclude<ConnectionError.ConnectionError, ConnectionError.ConnectError>
  | ProtocolError
  | SenderLeftError
  | CompressionError
  | CompressorFailedError

/** The prerequisites of a channel's first packet. */
interface Ready<E> {
  readonly pageSize: number
  readonly sinks: ReadonlyMap<string, PageSink<E>>
}

/**
 * Receives one migration.
 *
 * **Details**
 *
 * The first error ends everything, including all waits: a channel that fails or ends fails the wait at a mark at once.
 * A peer without progress fails with `PeerTimeoutError` after `idleTimeout`; bytes that complete nothing do not count,
 * nor do packets and rounds without pages. For any input from a peer, `limits` bounds the memory.
 *
 * A sender that has opened a return path is also told about a failure.
 *
 * **Failure effect**: that of the target before a successful `commit`. All connections are closed.
 *
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fn("Receiver.run")(function* <A, E>(
  options: Options<A, E>
): Effect.fn.Return<A, E | ReceiverError, Scope.Scope> {
  const { channels, limits, listener, uuid } = options
  const assembled = yield* acceptConnections({ listener, channels, uuid, handshakeTimeout: limits.handshakeTimeout })
  const watchdog = yield* Watchdog.make({
    peer: assembled.main.peer,
    idleTimeout: limits.idleTimeout,
    expected: "a page, or a piece of device state",
    least: { bytesPerSecond: limits.minRate, bytes: () => bytesRead(assembled) }
  })
  const { pageSize, rateLimit } = options
  const limited = (connection: Connection) =>
    rateLimit === undefined ? connection : limitedConnection(connection, rateLimit, watchdog)
  const stream = makeMainStream({ connection: limited(assembled.main), beginning: magicOfMain(), pageSize, limits })
  let hasArrived = false
  let isThere = false
  const { last = (step) => step } = options.hooks
  const hooks: ReceiverHooks<A> = {
    ...options.hooks,
    onArrived: () => void (hasArrived = true),
    last: (step) => last(Effect.tap(step, () => Effect.sync(() => void (isThere = true))))
  }
  const received = receive(
    { ...options, hooks },
    { channels: assembled.channels.map(limited), guest: assembled.uuid, stream, watchdog }
  )
  return yield* watchdog.during(Scope.provide(received, yield* Effect.scope)).pipe(
    Effect.raceFirst(assembled.strays),
    Effect.raceFirst(endless(assembled.main.peer, limits.maxDuration, () => hasArrived)),
    Effect.onError(() => stream.hangUp(isThere ? "loaded" : "failed"))
  )
})

const bytesRead = ({ channels, main }: Pick<Accepted, "main" | "channels">): number =>
  channels.reduce((sum, connection) => sum + connection.bytesRead, main.bytesRead)

/** Ends a migration that takes too long. Once everything has arrived, the remaining work is not the peer's fault. */
const endless = (
  peer: string,
  limit: Duration.Duration,
  hasArrived: () => boolean
): Effect.Effect<never, ConnectionError.PeerTimeoutError> => {
  const milliseconds = Duration.toMillis(limit)
  if (milliseconds === Number.POSITIVE_INFINITY) return Effect.never
  const expected = "the end of the migration"
  return Effect.andThen(
    Effect.sleep(limit),
    Effect.suspend(() =>
      hasArrived() ? Effect.never : Effect.fail(new ConnectionError.PeerTimeoutError({ peer, expected, milliseconds }))
    )
  )
}

/** The bytes already read to identify the main connection. */
const magicOfMain = (): Uint8Array => MigrationStream.encodeFileHeader().subarray(0, 4)

interface Connected extends Pick<Accepted, "channels"> {
  /** The guest's UUID from the channels. */
  readonly guest: Uint8Array | undefined
  readonly stream: MainStream
  readonly watchdog: Watchdog.Watchdog
}

const receive = Effect.fnUntraced(function* <A, E>(
  options: Options<A, E> & { readonly hooks: ReceiverHooks<A> },
  { channels, guest, stream, watchdog }: Connected
): Effect.fn.Return<A, E | ReceiverError, Scope.Scope> {
  const { hooks, limits, mayLeave = false, switchoverAck, target, transfer } = options
  const epochs = Epochs.make(stream.peer, channels.length)
  const ready = yield* Deferred.make<Ready<E>>()
  const begun = (begin: Ready<E>) => Effect.asVoid(Deferred.succeed(ready, begin))
  const committed = yield* Deferred.make<A>()
  const mainChannel = receiveMain({
    ...{ stream, target, transfer, limits, watchdog, epochs, begun, switchoverAck, mayLeave, guest },
    hooks: {
      ...hooks,
      // Once the target is there, the channels may end as they like. How the main channel ends still counts.
      last: (step) => hooks.last(Effect.tap(step, (value) => Deferred.succeed(committed, value)))
    },
    isMultifd: channels.length > 0
  })
  yield* allOrFirstError<E | ReceiverError, Scope.Scope>([
    mainChannel,
    ...channels.map((connection, id) =>
      Effect.raceFirst(
        Effect.flatMap(Deferred.await(ready), (begin) =>
          Effect.scoped(receiveChannel(options, { id, connection, epochs, watchdog, ...begin }))
        ),
        Effect.asVoid(Deferred.await(committed))
      )
    )
  ])
  return yield* Deferred.await(committed)
})

const receiveChannel = Effect.fnUntraced(function* <E>(
  { codec, limits, onDevicePacket }: Pick<Options<never, E>, "codec" | "limits" | "onDevicePacket">,
  channel: Pick<ReceiveChannel.Options<E>, "id" | "connection" | "epochs" | "watchdog" | "pageSize" | "sinks">
): Effect.fn.Return<void, E | ReceiverError, Scope.Scope> {
  const { pageSize } = channel
  const longest = codec?.maxPayload(MultifdPacket.pageCapacity(pageSize), pageSize) ?? limits.maxPayload
  const compression = codec && { flag: codec.flag, decompressor: yield* codec.decompressor }
  const maxPayload = Math.min(limits.maxPayload, longest)
  yield* ReceiveChannel.run({ ...channel, compression, maxPayload, onDevicePacket })
})
