/**
 * A socket that accepts the connections of one migration.
 *
 * ```text
 *   peer ──▶ kernel ──▶ over `maxConnections`? ──▶ handshake (TLS) ──▶ ready ──accept──▶ Connection in the caller's scope
 *                         │ closed at once          │ fails, too late
 *                         ▼                         ▼
 *                                              `accept` fails with its error, the listener goes on
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Connection } from "./Connection.ts"
import type * as ConnectionError from "./ConnectionError.ts"
import { listen, stop } from "./internal/listening.ts"
import * as Reception from "./internal/reception.ts"
import type { Listening } from "./Network.ts"
import { type SocketAddress, withHost } from "./SocketAddress.ts"
import type * as TlsCredentials from "./TlsCredentials.ts"

/**
 * Options of listening.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** A TCP address without a host means `127.0.0.1`; only `0.0.0.0` and `::` mean every address of this machine. */
  readonly address: SocketAddress
  /** TLS credentials; peers that do not speak TLS are refused. Default: none, and connections are not secured. */
  readonly tls?: TlsCredentials.Server | undefined
  /**
   * Most connections open at a time; further ones are closed immediately. Default 257: 255 channels, main, and one
   * more.
   */
  readonly maxConnections?: number | undefined
  /** Limit for the TLS handshake of each connection. Default 10 seconds. */
  readonly handshakeTimeout?: Duration.Input | undefined
  /** Idle time before TCP probes the peer; 0: never. Default 30 seconds. */
  readonly keepAlive?: Duration.Input | undefined
}

/**
 * A listening socket.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Listener {
  /** The address, with the actual port. */
  readonly address: SocketAddress
  /**
   * The next connection that is ready, until the scope ends. Handshakes run concurrently, so a silent peer does not
   * delay the others. A connection whose handshake fails is closed and makes one `accept` fail with the reason; the
   * next `accept` continues.
   */
  readonly accept: Effect.Effect<
    Connection,
    ConnectionError.ListenError | ConnectionError.TlsError | ConnectionError.PeerTimeoutError,
    Scope.Scope
  >
  /**
   * Stops listening before the scope ends. The address can be used again, connections not yet accepted are closed, and
   * accepted ones stay open. `accept` then fails with `ListenError` (`ECANCELED`).
   */
  readonly close: Effect.Effect<void>
}

const defaults = {
  maxConnections: 257,
  handshakeTimeout: Duration.seconds(10),
  keepAlive: Duration.seconds(30)
}

/**
 * Listens until the scope ends.
 *
 * **Details**
 *
 * Leaving the scope always does what `close` does; the port is available again at once. A Unix socket gets a file at
 * its path, which is removed at the end. As in QEMU, a stale socket at the path is replaced. A socket with a listening
 * process and a file that is not a socket are kept: `ListenError` (`EADDRINUSE`).
 *
 * **Failure effect**: nothing listens.
 *
 * **Example** (Echoing one connection)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Listener } from "effect-multifd/io"
 * import { SocketAddress } from "effect-multifd"
 *
 * const echo = Effect.gen(function* () {
 *   const listener = yield* Listener.make({ address: SocketAddress.tcp("127.0.0.1", 0) })
 *   yield* Effect.log(`listening on ${SocketAddress.format(listener.address)}`)
 *   const connection = yield* listener.accept
 *   const buffer = new Uint8Array(4096)
 *   let length = 0
 *   while ((length = yield* connection.readSome(buffer)) > 0) yield* connection.write([buffer.subarray(0, length)])
 *   yield* connection.end
 * }).pipe(Effect.scoped)
 * ```
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Listener, ConnectionError.ListenError, Scope.Scope> {
  const address = withHost(options.address)
  const maxConnections = options.maxConnections ?? defaults.maxConnections
  const handshakeTimeout = Duration.fromInputUnsafe(options.handshakeTimeout ?? defaults.handshakeTimeout)
  const reception = yield* Reception.make({ address, maxConnections, handshakeTimeout })
  let begun: Listening | undefined
  yield* Effect.addFinalizer(() => (begun === undefined ? Effect.void : stop(begun)))
  const listening = yield* listen(
    address,
    {
      tls: options.tls,
      keepAlive: Duration.toMillis(options.keepAlive ?? defaults.keepAlive),
      backlog: maxConnections,
      onConnection: reception.receive,
      onError: reception.fail
    },
    (listening) => void (begun = listening)
  )
  return {
    address: listening.address,
    accept: reception.accept,
    close: Effect.andThen(stop(listening), reception.close)
  }
})
