/**
 * The receiving end of a migration over sockets: the main connection and N channels of one sender, as QEMU would take them.
 *
 * ```text
 *   sender                        receiver                                       target
 *   connections, any order ────▶  told apart by their first bytes
 *   configuration, block list ─▶  limits ─────────────────────────────────────▶  begin: a sink for each block
 *   ┌ packets on channels ─────▶  checked ────────────────────────────────────▶  sinks
 *   │ SYNCs, and a mark ───────▶  all channels stand at their SYNC; all go on
 *   └ … any number of epochs
 *   RAM's END ─────────────────▶  nothing is left on any channel ─────────────▶  ramEnd
 *   device state, description ─▶  in pieces ──────────────────────────────────▶  state
 *   end of all connections ────▶  everything is there ────────────────────────▶  complete: checked, durable
 *   ◀──────────── SHUT 0, where the sender has opened a return path ──────────┘
 * ```
 *
 * With a return path the sender keeps its connections open until it is told that all went well, so its end is known by the
 * description behind the device state; and only then, when everything is durable, it is told so. One that is gone by then has
 * failed, and its guest may go on.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import type { Codec } from "../compression/Compression.ts"
import type { CompressionError, CompressorFailedError } from "../compression/CompressionError.ts"
import * as MigrationStream from "../format/stream/MigrationStream.ts"
import * as MultifdPacket from "../format/multifd/MultifdPacket.ts"
import type { Connection } from "../io/sockets/Connection.ts"
import * as ConnectionError from "../io/sockets/ConnectionError.ts"
import type { Listener } from "../io/sockets/Listener.ts"
import type { Shape } from "../ram/RamBlock.ts"
import * as Epochs from "./Epochs.ts"
import { assemble, type Assembled } from "./internal/assemble.ts"
import { allOrFirstError } from "../transfer/FirstError.ts"
import { limitedConnection } from "./internal/limitedConnection.ts"
import { type MainStream, makeMainStream } from "./internal/mainStream.ts"
import { receiveMain } from "./internal/receiveMain.ts"
import type { Limits } from "./Limits.ts"
import type { Marks } from "./MainChannel.ts"
import type { PageSink } from "../transfer/PageSink.ts"
import type { ProtocolError } from "./ProtocolError.ts"
import type { RateLimit } from "../transfer/RateLimit.ts"
import * as ReceiveChannel from "./ReceiveChannel.ts"
import type { SenderLeftError } from "./SenderLeftError.ts"
import * as Watchdog from "./Watchdog.ts"

/**
 * What is known of a machine before its first page.
 *
 * @category models
 * @since 0.1.0
 */
export interface Opening {
  /** The address of the sender. */
  readonly peer: string
  /** `undefined` where the sender leaves it out (`send-configuration=off`). */
  readonly configuration: MigrationStream.Configuration | undefined
  /** Device sections between the configuration and RAM's START; what the two ends of the connection say to each other is not among them. */
  readonly prelude: Uint8Array
  readonly ramSectionId: number
  readonly blocks: ReadonlyArray<Shape>
  /** Bytes of all blocks. */
  readonly totalLength: number
  /** The guest's as the channels have it, 16 bytes, zeros where it has none; `undefined` where there are no channels. */
  readonly uuid?: Uint8Array | undefined
}

/**
 * What stands between RAM and the device state.
 *
 * @category models
 * @since 0.1.0
 */
export interface Closing {
  /** Device sections between RAM's START and END. */
  readonly early: Uint8Array
  /** Whether SWITCHOVER_START stands in front of RAM's END. */
  readonly switchoverStart: boolean
  /** Whether sections end with a footer. */
  readonly footers: boolean
  /** The byte of the main connection at which the device state begins. */
  readonly position: number
  /** What marked the SYNCs of the channels; `undefined`: there were no channels. */
  readonly marks: Exclude<Marks, "none"> | undefined
}

/**
 * Where a migration goes to. One call at a time, in this order.
 *
 * @category models
 * @since 0.1.0
 */
export interface Target<in out E> {
  /** Makes a sink for every block, before the first page. */
  readonly begin: (opening: Opening) => Effect.Effect<ReadonlyMap<string, PageSink<E>>, E>
  /** Runs `ram`, which stores all pages; may run something of its own beside it. */
  readonly during: <E2>(ram: Effect.Effect<void, E2>) => Effect.Effect<void, E | E2>
  /** RAM is complete. */
  readonly ramEnd: (closing: Closing) => Effect.Effect<void, E>
  /** A piece of what follows RAM: device sections, the end of the stream, the description. Valid until it ends. */
  readonly state: (bytes: Uint8Array) => Effect.Effect<void, E>
  /** Nothing will follow: checks what there is, and makes it last. The sender hears of success only behind this. */
  readonly complete: Effect.Effect<void, E>
}

/**
 * What a receiver is made of.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<in out E> {
  /** Accepts the connections of one sender, and is closed when they are all there. */
  readonly listener: Listener
  /** 0 to 255, as many as the sender has; 0: a sender without multifd. */
  readonly channels: number
  /** How payloads are compressed, as on the sender. Default: they are not. */
  readonly codec?: Codec | undefined
  /** The guest's, 16 bytes in textual order. Default: any, but the same on all channels. */
  readonly uuid?: Uint8Array | undefined
  /** Bytes of a page where the configuration does not say. Default 4096. */
  readonly pageSize?: number | undefined
  /** Whether to send a SWITCHOVER_ACK where there is a return path. Default: by the machine type. */
  readonly switchoverAck?: boolean | undefined
  readonly limits: Limits
  /** Connections are read no faster than it allows, all of them together. Default: there is no limit. */
  readonly rateLimit?: RateLimit | undefined
  readonly target: Target<E>
  /**
   * Called as soon as the target is complete: whatever becomes of the sender from now on, it is told that all is well. `false`
   * keeps it from being told, and waits for the interruption that is on its way. Default: `true`.
   */
  readonly onComplete?: (() => boolean) | undefined
  /**
   * Whether a sender that waits for an answer may hang up without it once everything has arrived, as one does that is called
   * off by then. Default `false`: it has failed (`SenderLeftError`).
   */
  readonly mayLeave?: boolean | undefined
  /** Whether the target is complete although `complete` was interrupted at its very end: the sender is told so. Default: no. */
  readonly isComplete?: (() => boolean) | undefined
  /** Takes device state that devices send on the channels. Default: it is an error. */
  readonly onDevicePacket?: ((packet: ReceiveChannel.DevicePacket) => Effect.Effect<void, E>) | undefined
}

/**
 * What receiving fails with, beside what the target fails with.
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

/** What the channels wait for before their first packet. */
interface Ready<E> {
  readonly pageSize: number
  readonly sinks: ReadonlyMap<string, PageSink<E>>
}

/**
 * Receives one migration.
 *
 * **Details**
 *
 * The first error wins and ends everything, whoever waits for whom: a channel that fails or ends fails the wait at a mark at
 * once. A peer that gets nothing done fails with `PeerTimeoutError` after `idleTimeout`; bytes that complete nothing do not
 * count, nor do packets and rounds without pages. Whatever a peer sends, memory is bounded by `limits`.
 *
 * A sender that has opened a return path is told when it fails, too.
 *
 * **Failure effect**: that of the target, of which `complete` has not succeeded. All connections are closed.
 *
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fn("Receiver.run")(function* <E>(
  options: Options<E>
): Effect.fn.Return<void, E | ReceiverError, Scope.Scope> {
  const { channels, limits, listener, uuid } = options
  const assembled = yield* assemble({ listener, channels, uuid, handshakeTimeout: limits.handshakeTimeout })
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
  const lanes = assembled.channels.map(limited)
  let isComplete = false
  let hasArrived = false
  const complete = Effect.flatMap(
    Effect.suspend(() => {
      hasArrived = true
      return options.target.complete
    }),
    () => {
      isComplete = options.onComplete?.() ?? true
      return isComplete ? Effect.void : Effect.never
    }
  )
  const begin: Target<E>["begin"] = (opening) => options.target.begin({ ...opening, uuid: assembled.uuid })
  const target = { ...options.target, begin, complete }
  yield* watchdog.during(receive({ ...options, target }, { channels: lanes, stream, watchdog })).pipe(
    Effect.raceFirst(assembled.strays),
    Effect.raceFirst(endless(assembled.main.peer, limits.maxDuration, () => hasArrived)),
    Effect.onError(() => stream.hangUp(isComplete || options.isComplete?.() === true ? "loaded" : "failed"))
  )
})

const bytesRead = ({ channels, main }: Pick<Assembled, "main" | "channels">): number =>
  channels.reduce((sum, connection) => sum + connection.bytesRead, main.bytesRead)

/** Ends a migration that goes on and on. Once everything has arrived, the peer is not to blame for what is still to be done. */
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

/** What tells the main connection has been read of it. */
const magicOfMain = (): Uint8Array => MigrationStream.encodeFileHeader().subarray(0, 4)

interface Connected extends Pick<Assembled, "channels"> {
  readonly stream: MainStream
  readonly watchdog: Watchdog.Watchdog
}

const receive = Effect.fnUntraced(function* <E>(
  options: Options<E>,
  { channels, stream, watchdog }: Connected
): Effect.fn.Return<void, E | ReceiverError, Scope.Scope> {
  const { limits, mayLeave = false, switchoverAck, target } = options
  const epochs = Epochs.make(stream.peer, channels.length)
  const ready = yield* Deferred.make<Ready<E>>()
  const over = yield* Latch.make()
  // What becomes of the channels is of no importance any more; how the main channel ends is.
  const complete = Effect.andThen(target.complete, over.open)
  const begun = (begin: Ready<E>) => Effect.asVoid(Deferred.succeed(ready, begin))
  const mainChannel = receiveMain({
    stream,
    target: { ...target, complete },
    limits,
    watchdog,
    epochs,
    begun,
    switchoverAck,
    mayLeave,
    isMultifd: channels.length > 0
  })
  yield* allOrFirstError<E | ReceiverError, Scope.Scope>([
    Effect.andThen(mainChannel, over.open),
    ...channels.map((connection, id) =>
      Effect.raceFirst(
        Effect.flatMap(Deferred.await(ready), (begin) =>
          Effect.scoped(receiveChannel(options, { id, connection, epochs, watchdog, ...begin }))
        ),
        over.await
      )
    )
  ])
})

const receiveChannel = Effect.fnUntraced(function* <E>(
  { codec, limits, onDevicePacket }: Options<E>,
  channel: Pick<ReceiveChannel.Options<E>, "id" | "connection" | "epochs" | "watchdog" | "pageSize" | "sinks">
): Effect.fn.Return<void, E | ReceiverError, Scope.Scope> {
  const { pageSize } = channel
  const longest = codec?.maxPayload(MultifdPacket.pageCapacity(pageSize), pageSize) ?? limits.maxPayload
  const compression = codec && { flag: codec.flag, decompressor: yield* codec.decompressor }
  const maxPayload = Math.min(limits.maxPayload, longest)
  yield* ReceiveChannel.run({ ...channel, compression, maxPayload, onDevicePacket })
})
