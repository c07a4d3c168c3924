/**
 * A connection to QEMU's monitor: commands, their results, and events.
 *
 * ```text
 *   client                                          QEMU
 *     │ ◀─ { "QMP": { "version": … } } ─────────────  │   greeting
 *     │ ── { "execute": "qmp_capabilities", id: 1 } ▶ │   negotiation
 *     │ ◀─ { "return": {}, id: 1 } ─────────────────  │
 *     │ ── { "execute": A, id: 2 } ─────────────────▶ │   any number of callers,
 *     │ ── { "execute": B, id: 3 } ─────────────────▶ │   each with an id of its own
 *     │ ◀─ { "event": … } ──────────────────────────  │   to every subscriber
 *     │ ◀─ { "return": …, id: 2 } ──────────────────  │
 *     │ ◀─ { "error": { class, desc }, id: 3 } ─────  │
 *     │ ◀─ end, or no JSON ─────────────────────────  │   fails all callers and subscribers
 * ```
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Connection from "../io/sockets/Connection.ts"
import { PeerTimeoutError } from "../io/sockets/ConnectionError.ts"
import type { SocketAddress } from "../io/sockets/SocketAddress.ts"
import type * as TlsCredentials from "../io/sockets/TlsCredentials.ts"
import type * as Message from "./internal/message.ts"
import * as Session from "./internal/session.ts"
import * as QmpError from "./QmpError.ts"

/**
 * QEMU's version.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Version {
  readonly major: number
  readonly minor: number
  readonly micro: number
  /** The distribution's suffix; may be empty. */
  readonly package: string
}

/**
 * An event in QEMU, such as `STOP`, `RESUME`, `SHUTDOWN`, `MIGRATION`.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Event {
  readonly name: string
  readonly data: Readonly<Record<string, unknown>>
  /** The time by QEMU's clock: milliseconds since 1970; 0 if it has none. */
  readonly time: number
}

/**
 * Options of a single command.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface ExecuteOptions {
  /** Time limit for the answer. Default: that of the client. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * A connected monitor that takes commands, until its scope ends. Any number of fibers may use it.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Client {
  /** The monitor's address. */
  readonly peer: string
  readonly version: Version
  /** Default time limit for an answer. */
  readonly commandTimeout: Duration.Duration
  /**
   * Executes a command, and decodes its result with `result`. `undefined` arguments are left out. A bigint is sent as
   * an integer of JSON, and integers that a double cannot hold are received as bigints.
   *
   * An interrupted caller stops waiting; the command is executed anyway, unless it was not sent yet.
   */
  readonly execute: <A>(
    command: string,
    args: Readonly<Record<string, unknown>>,
    result: Schema.Decoder<A>,
    options?: ExecuteOptions | undefined
  ) => Effect.Effect<A, QmpError.QmpError>
  /**
   * Every event from now on, in order: subscribe before the command whose events are needed, and none is missed. Events
   * are queued until the scope ends, at most {@link MAX_WAITING_EVENTS} of them. The stream fails when the connection
   * ends.
   */
  readonly subscribe: Effect.Effect<Stream.Stream<Event, QmpError.QmpEventsError>, never, Scope.Scope>
  /** Every event from the start of the stream. */
  readonly events: Stream.Stream<Event, QmpError.QmpEventsError>
  /** Waits for the end of the connection. */
  readonly ended: Effect.Effect<void>
  /**
   * Another connection to the same monitor, which may still work when this one has ended: over a relay, for example. A
   * monitor serves one client at a time.
   */
  readonly reconnect: Effect.Effect<Client, QmpError.QmpConnectError, Scope.Scope>
}

/**
 * The service, for programs with one monitor.
 *
 * @stability stable
 * @category services
 * @since 0.1.0
 */
export class QmpClient extends Context.Service<QmpClient, Client>()("effect-multifd/qmp/QmpClient") {}

/**
 * Most events queued for a subscriber: 4096. A migration causes a few dozen. QEMU itself limits storms of events (block
 * errors, watchdogs) to a few per second.
 *
 * @stability stable
 * @category constants
 * @since 0.1.0
 */
export const MAX_WAITING_EVENTS: number = 4096

/**
 * Longest message of QEMU that is accepted: 8 MiB. The longest in QEMU 10 is the schema of its own protocol, 240 KB;
 * lists of devices grow with the machine.
 *
 * @stability stable
 * @category constants
 * @since 0.1.0
 */
export const MAX_MESSAGE_BYTES: number = 8 * 1024 * 1024

/**
 * Options of connecting.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The address in QEMU's `-qmp unix:PATH,server=on,wait=off` or `-qmp tcp:HOST:PORT,server=on,wait=off`. */
  readonly address: SocketAddress
  /** TLS credentials. Default: no TLS. */
  readonly tls?: TlsCredentials.Client | undefined
  /**
   * Time limit for connecting, and again for QEMU's greeting. Default 10 seconds. A monitor serves one client at a
   * time.
   */
  readonly connectTimeout?: Duration.Input | undefined
  /**
   * Time limit for the answer to each command. Default 60 seconds: QEMU answers at once, unless it is loading or saving
   * the device state of a large machine.
   */
  readonly commandTimeout?: Duration.Input | undefined
  /** Longest message that is accepted, in bytes. Default {@link MAX_MESSAGE_BYTES}. */
  readonly maxMessageBytes?: number | undefined
}

const CONNECT_TIMEOUT = Duration.seconds(10)
const COMMAND_TIMEOUT = Duration.seconds(60)

const inTime =
  (peer: string, expected: string, timeout: Duration.Duration) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | PeerTimeoutError, R> =>
    Effect.timeoutOrElse(self, {
      duration: timeout,
      orElse: () => Effect.fail(new PeerTimeoutError({ peer, expected, milliseconds: Duration.toMillis(timeout) }))
    })

const decodeAnswer = <A>(peer: string, command: string, result: Schema.Decoder<A>) => {
  const decode = Schema.decodeUnknownEffect(result)
  return (answer: unknown): Effect.Effect<A, QmpError.QmpProtocolError> =>
    Effect.mapError(
      decode(answer),
      ({ message }) =>
        new QmpError.QmpProtocolError({ peer, command, expected: "an answer of the known form", found: message })
    )
}

const eventOf = ({ data, event, timestamp }: Message.Event): Event => ({
  name: event,
  data: data ?? {},
  time: timestamp === undefined ? 0 : timestamp.seconds * 1000 + timestamp.microseconds / 1000
})

/**
 * Connects to a monitor and negotiates, until the scope ends.
 *
 * **Details**
 *
 * Leaving the scope closes the connection; QEMU is not affected. All waiting callers then fail with
 * `QmpDisconnectedError`, as they do when QEMU exits. Nothing that QEMU sends throws: a message that is neither an
 * answer nor an event is a `QmpProtocolError`.
 *
 * **Failure effect**: nothing is open, and no command was sent to QEMU.
 *
 * **Example** (Checking that the guest runs)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 * import { QmpClient, SocketAddress } from "effect-multifd"
 *
 * export const isRunning = Effect.gen(function* () {
 *   const qmp = yield* QmpClient.make({ address: SocketAddress.unix("/run/vm/qmp") })
 *   const { running } = yield* qmp.execute("query-status", {}, Schema.Struct({ running: Schema.Boolean }))
 *   return running
 * }).pipe(Effect.scoped)
 * ```
 *
 * @see {@link QmpCommands} for the commands of which the library knows the answers
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const make: (options: Options) => Effect.Effect<Client, QmpError.QmpConnectError, Scope.Scope> = Effect.fn(
  "QmpClient.make"
)(function* (options: Options): Effect.fn.Return<Client, QmpError.QmpConnectError, Scope.Scope> {
  const { address, maxMessageBytes = MAX_MESSAGE_BYTES, tls } = options
  const connectTimeout = Duration.fromInputUnsafe(options.connectTimeout ?? CONNECT_TIMEOUT)
  const commandTimeout = Duration.fromInputUnsafe(options.commandTimeout ?? COMMAND_TIMEOUT)

  const connection = yield* Connection.connect({ address, tls, connectTimeout })
  const { peer } = connection
  const session = yield* Session.make(connection, { maxMessageBytes, maxWaitingEvents: MAX_WAITING_EVENTS })
  const { QMP: greeting } = yield* session.greeting.pipe(
    inTime(peer, "QEMU's greeting (a monitor serves one client at a time)", connectTimeout)
  )

  const execute: Client["execute"] = (command, args, result, { timeout } = {}) => {
    const limit = timeout === undefined ? commandTimeout : Duration.fromInputUnsafe(timeout)
    return session
      .execute(command, args)
      .pipe(
        inTime(peer, `an answer to ${JSON.stringify(command)}`, limit),
        Effect.flatMap(decodeAnswer(peer, command, result))
      )
  }
  const subscribe = Effect.map(session.subscribe, (queue) => Stream.map(Stream.fromQueue(queue), eventOf))

  yield* execute("qmp_capabilities", {}, Schema.Unknown, { timeout: connectTimeout })
  return {
    peer,
    version: { ...greeting.version.qemu, package: greeting.version.package ?? "" },
    commandTimeout,
    execute,
    subscribe,
    events: Stream.unwrap(subscribe),
    ended: session.ended,
    reconnect: Effect.suspend(() => make(options))
  }
})

/**
 * Provides {@link QmpClient}, connected for as long as the layer is in use.
 *
 * @stability stable
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<QmpClient, QmpError.QmpConnectError> =>
  Layer.effect(QmpClient, make(options))

/**
 * Provides {@link QmpClient} from Effect's `Config`: each option is read from the environment, or another
 * `ConfigProvider`.
 *
 * **Example** (The monitor's socket from `QMP_SOCKET`)
 *
 * ```ts
 * import * as Config from "effect/Config"
 * import { QmpClient, SocketAddress } from "effect-multifd"
 *
 * export const monitor = QmpClient.layerConfig({
 *   address: Config.map(Config.String("QMP_SOCKET"), SocketAddress.unix),
 *   commandTimeout: Config.withDefault(Config.Duration("QMP_TIMEOUT"), "60 seconds")
 * })
 * ```
 *
 * @stability stable
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: Config.Wrap<Options>
): Layer.Layer<QmpClient, QmpError.QmpConnectError | Config.ConfigError> =>
  Layer.effect(QmpClient, Effect.flatMap(Config.unwrap(options), make))
