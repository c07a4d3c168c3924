/**
 * A connection that is read on request, directly into the destination memory.
 *
 * ```text
 *   connect / accept ──▶ open ──end──▶ our side ended ──peer's end──▶ both ended
 *                          │                 │                            │
 *                          └───── scope ends, or an interrupted write ────┴──▶ closed
 * ```
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as ConnectionError from "./ConnectionError.ts"
import { connectFailure } from "./internal/socketFailure.ts"
import { SocketConnection } from "./internal/socketConnection.ts"
import { Network } from "./Network.ts"
import { format, type SocketAddress, withHost } from "./SocketAddress.ts"
import type * as TlsCredentials from "./TlsCredentials.ts"
import type { Connection } from "./internal/connectionModel.ts"

export type { Connection, TransferError } from "./internal/connectionModel.ts"

/**
 * Options of connecting.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly address: SocketAddress
  /** TLS credentials. Default: none, and the connection is not secured. */
  readonly tls?: TlsCredentials.Client | undefined
  /** Limit for resolving the host, connecting, and the TLS handshake together. Default 10 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
  /** Idle time before TCP probes the peer; 0: never. Default 30 seconds. */
  readonly keepAlive?: Duration.Input | undefined
}

const defaults = { connectTimeout: Duration.seconds(10), keepAlive: Duration.seconds(30) }

type ConnectFailure = ConnectionError.ConnectError | ConnectionError.TlsError

/** `opened` gets the connection as soon as it exists: an interruption at that very moment would lose it. */
const attempt = (
  { address, tls, keepAlive = defaults.keepAlive }: Options,
  opened: (connection: SocketConnection) => void
) =>
  Effect.flatMap(Network, (network) =>
    Effect.callback<SocketConnection, ConnectFailure>((resume) => {
      const cancel = network.connect(address, { tls, keepAlive: Duration.toMillis(keepAlive) }, (answer) => {
        if (Result.isFailure(answer)) {
          return resume(Effect.fail(connectFailure(format(address), answer.failure, { tls: tls !== undefined })))
        }
        const connection = new SocketConnection(answer.success)
        opened(connection)
        resume(Effect.succeed(connection))
      })
      return Effect.sync(cancel)
    })
  )

const open = (options: Options, opened: (connection: SocketConnection) => void) => {
  const limit = Duration.fromInputUnsafe(options.connectTimeout ?? defaults.connectTimeout)
  return Effect.timeoutOrElse(attempt(options, opened), {
    duration: limit,
    orElse: () =>
      Effect.fail(
        new ConnectionError.PeerTimeoutError({
          peer: format(options.address),
          expected: options.tls === undefined ? "an answer to the attempt to connect" : "a secure connection",
          milliseconds: Duration.toMillis(limit)
        })
      )
  })
}

/**
 * Connects, until the scope ends.
 *
 * **Details**
 *
 * Small packets are not delayed (`TCP_NODELAY`). Leaving the scope closes the connection at once: the kernel still
 * sends its buffered data, unless received data was not read. To be sure that the peer has everything, call `end` and
 * read until the peer ends.
 *
 * **Failure effect**: nothing is open.
 *
 * **Example** (Requesting a line from a server)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Connection } from "effect-multifd/io"
 * import { SocketAddress } from "effect-multifd"
 *
 * const greeting = Effect.gen(function* () {
 *   const connection = yield* Connection.connect({ address: SocketAddress.tcp("127.0.0.1", 4444) })
 *   yield* connection.write([new TextEncoder().encode("hello\n")])
 *   const answer = new Uint8Array(5)
 *   yield* connection.read([answer])
 *   return answer
 * }).pipe(Effect.scoped)
 * ```
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const connect = (
  options: Options
): Effect.Effect<
  Connection,
  ConnectionError.ConnectError | ConnectionError.TlsError | ConnectionError.PeerTimeoutError,
  Scope.Scope
> =>
  Effect.suspend(() => {
    const reached = { ...options, address: withHost(options.address) }
    let connection: SocketConnection | undefined
    let isOver = false
    const close = Effect.sync(() => {
      isOver = true
      connection?.close()
    })
    // The scope may end while a fiber forked in it still waits.
    const opened = (established: SocketConnection): void => {
      connection = established
      if (isOver) established.close()
    }
    return Effect.addFinalizer(() => close).pipe(
      Effect.andThen(open(reached, opened)),
      Effect.onError(() => close)
    )
  })
