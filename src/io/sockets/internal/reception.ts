import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Queue from "effect/Queue"
import type * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as ConnectionError from "../ConnectionError.ts"
import type { ErrnoError, Incoming } from "../Network.ts"
import type { SocketAddress } from "../SocketAddress.ts"
import { listenError } from "./listening.ts"
import { SocketConnection } from "./socketConnection.ts"
import { handshakeFailure } from "./socketFailure.ts"

type HandshakeError = ConnectionError.TlsError | ConnectionError.PeerTimeoutError

/** A connection ready to be accepted, and its incoming form. */
interface Ready {
  readonly incoming: Incoming
  readonly connection: SocketConnection
}

interface Options {
  readonly address: SocketAddress
  readonly maxConnections: number
  readonly handshakeTimeout: Duration.Duration
}

/**
 * The connections between the kernel and `accept`.
 *
 * @internal
 */
export interface Reception {
  readonly receive: (incoming: Incoming) => void
  readonly accept: Effect.Effect<SocketConnection, HandshakeError | ConnectionError.ListenError, Scope.Scope>
  /** No more connections will come; those that have come can still be accepted. */
  readonly fail: (cause: ErrnoError) => void
  /** Stops accepting: waiting connections are closed. A second call does nothing. */
  readonly close: Effect.Effect<void>
}

const handshake = (incoming: Incoming, limit: Duration.Duration): Effect.Effect<SocketConnection, HandshakeError> =>
  Effect.callback<SocketConnection, HandshakeError>((resume) =>
    incoming.open((answer) =>
      resume(
        Effect.fromResult(answer).pipe(
          Effect.mapBoth({
            onFailure: (cause) => handshakeFailure(incoming.peer, cause),
            onSuccess: (transport) => new SocketConnection(transport)
          })
        )
      )
    )
  ).pipe(
    Effect.timeoutOrElse({
      duration: limit,
      orElse: () =>
        Effect.fail(
          new ConnectionError.PeerTimeoutError({
            peer: incoming.peer,
            expected: "the end of the TLS handshake",
            milliseconds: Duration.toMillis(limit)
          })
        )
    })
  )

/**
 * Opens every incoming connection concurrently, and keeps it until it is accepted or the scope ends.
 *
 * @internal
 */
export const make = Effect.fnUntraced(function* (options: Options): Effect.fn.Return<Reception, never, Scope.Scope> {
  const handshakes = yield* FiberSet.make<void>()
  const run = yield* FiberSet.runtime(handshakes)()
  const ready = yield* Queue.unbounded<Result.Result<Ready, HandshakeError>, ConnectionError.ListenError>()
  /** Connections not accepted yet. */
  const waiting = new Set<Incoming>()
  let accepted = 0
  let isClosed = false

  const open = (incoming: Incoming) =>
    handshake(incoming, options.handshakeTimeout).pipe(
      Effect.map((connection) => ({ incoming, connection })),
      Effect.tapError(() => Effect.sync(() => dismiss(incoming))),
      Effect.result,
      Effect.map((result) => void Queue.offerUnsafe(ready, result))
    )

  const dismiss = (incoming: Incoming): void => {
    waiting.delete(incoming)
    incoming.destroy()
  }

  const take = Effect.map(Effect.flatMap(Queue.take(ready), Effect.fromResult), ({ connection, incoming }) => {
    waiting.delete(incoming)
    accepted++
    return connection
  })

  const release = (connection: SocketConnection) =>
    Effect.sync(() => {
      accepted--
      connection.close()
    })

  const fail = (cause: ErrnoError): void => {
    Queue.failCauseUnsafe(ready, Cause.fail(listenError(options.address, "accept", cause)))
  }

  const close = Effect.gen(function* () {
    isClosed = true
    yield* FiberSet.clear(handshakes)
    waiting.forEach(dismiss)
    yield* Effect.ignore(Queue.clear(ready))
    fail(Object.assign(new Error("the listener was closed"), { code: "ECANCELED" }))
  })
  yield* Effect.addFinalizer(() => close)

  return {
    receive: (incoming) => {
      // The network reports a connection one turn late: by then nothing may be left that would close it.
      if (isClosed || waiting.size + accepted >= options.maxConnections) return incoming.destroy()
      waiting.add(incoming)
      run(open(incoming))
    },
    accept: Effect.acquireRelease(take, release, { interruptible: true }),
    fail,
    close
  }
})
