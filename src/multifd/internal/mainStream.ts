import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as ReturnPath from "../../format/stream/ReturnPath.ts"
import * as SocketStream from "../../format/stream/SocketStream.ts"
import type { Connection, TransferError } from "../../io/sockets/Connection.ts"
import * as ConnectionError from "../../io/sockets/ConnectionError.ts"
import type { Limits } from "../PeerLimits.ts"
import * as ProtocolError from "../ProtocolError.ts"

/** @internal */
export type MainError = TransferError | ConnectionError.ConnectionEndedError | ProtocolError.ProtocolError

/**
 * The migration stream of a main connection as events, up to the end of RAM, and as bytes after that.
 *
 * @internal
 */
export interface MainStream {
  readonly peer: string
  /** The next event; its contents are valid until the following one is requested. */
  readonly next: Effect.Effect<SocketStream.Event, MainError>
  /** Bytes after `RamEnd`, as they arrive, at least one; none if the peer has ended. Valid until the next ones. */
  readonly nextBytes: Effect.Effect<Uint8Array, MainError>
  /** `true` if the sender reads our answers. */
  readonly hasReturnPath: boolean
  readonly openReturnPath: Effect.Effect<void>
  /** Sends a message on the return path, if there is one. */
  readonly answer: (message: ReturnPath.Message) => Effect.Effect<void, TransferError>
  /** Call it when the stream is complete: from then on it notices when the sender closes. */
  readonly watch: Effect.Effect<void, never, Scope.Scope>
  /** Waits until the sender has closed. */
  readonly hasLeft: Effect.Effect<void>
  /**
   * Reports the outcome to the sender, if it reads answers, and after a success waits for it to close. Succeeds with
   * `false` if the answer cannot have arrived because the connection was broken before. Failures after the answer do
   * not affect the received data.
   */
  readonly hangUp: (how: "loaded" | "failed") => Effect.Effect<boolean>
}

const onMain = <A, E extends ConnectionError.ConnectionError>(self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.mapError(self, ConnectionError.at({ channel: "main" }))

/** Enough for an answer to cross any network; at stake is only that the sender gets it. */
const FAREWELL = "5 seconds"

/**
 * Time for which a failed connection stays open after the answer: closing it with unread data resets it, and the answer
 * may not have arrived by then.
 */
const GRACE = "50 millis"

/** QEMU sends device state in pieces of 32 KiB. */
const PIECE_BYTES = 256 * 1024

/**
 * @internal
 */
export const makeMainStream = (options: {
  readonly connection: Connection
  /** The bytes already read from the connection. */
  readonly beginning: Uint8Array
  readonly pageSize?: number | undefined
  readonly limits: Pick<Limits, "maxBlocks" | "maxRam" | "maxHeld">
}): MainStream => {
  const { beginning, connection, limits, pageSize } = options
  const { maxBlocks, maxHeld, maxRam } = limits
  const reader = SocketStream.make({ pageSize, limits: { maxBlocks, maxHeld, maxRam } })
  reader.space().set(beginning)
  reader.filled(beginning.length)
  const { peer } = connection
  const piece = new Uint8Array(PIECE_BYTES)
  let restTaken = false
  let hasReturnPath = false
  let hasHungUp = false

  const readMore = Effect.flatMap(
    Effect.suspend(() => onMain(connection.readSome(reader.space()))),
    (bytes) => {
      if (bytes === 0) {
        return Effect.fail(new ConnectionError.ConnectionEndedError({ peer, expected: 1, found: 0, channel: "main" }))
      }
      reader.filled(bytes)
      return Effect.void
    }
  )
  const next: MainStream["next"] = Effect.suspend(() => {
    const event = reader.next()
    if (Result.isFailure(event)) return Effect.fail(ProtocolError.fromFinding(peer, "main", event.failure))
    return event.success === undefined ? Effect.andThen(readMore, next) : Effect.succeed(event.success)
  })
  const nextBytes: MainStream["nextBytes"] = Effect.suspend(() => {
    const rest = restTaken ? piece.subarray(0, 0) : reader.rest()
    restTaken = true
    if (rest.length > 0) return Effect.succeed(rest)
    return Effect.map(onMain(connection.readSome(piece)), (bytes) => piece.subarray(0, bytes))
  })
  const untilEnd: Effect.Effect<void, MainError> = Effect.flatMap(nextBytes, (bytes) =>
    bytes.length === 0 ? Effect.void : untilEnd
  )
  let departure: Effect.Effect<void, MainError> | undefined
  const watch = Effect.map(Effect.forkScoped(untilEnd), (fiber) => void (departure = Fiber.join(fiber)))
  const left = Effect.suspend(() => departure ?? untilEnd)
  const answer: MainStream["answer"] = (message) =>
    Effect.suspend(() => (hasReturnPath ? onMain(connection.write([ReturnPath.encode(message)])) : Effect.void))
  const hangUp: MainStream["hangUp"] = (how) =>
    answer({ _tag: "Shut", value: how === "loaded" ? 0 : 1 }).pipe(
      Effect.map(() => void (hasHungUp = true)),
      Effect.andThen(Effect.ignore(how === "loaded" ? left : Effect.sleep(GRACE))),
      Effect.interruptible,
      Effect.as(true),
      Effect.timeoutOrElse({ duration: FAREWELL, orElse: () => Effect.sync(() => hasHungUp) }),
      Effect.catch(() => Effect.succeed(false))
    )
  return {
    peer,
    next,
    nextBytes,
    get hasReturnPath() {
      return hasReturnPath
    },
    openReturnPath: Effect.sync(() => void (hasReturnPath = true)),
    answer,
    watch,
    hasLeft: Effect.ignore(left),
    hangUp: (how) => Effect.suspend(() => (hasReturnPath && !hasHungUp ? hangUp(how) : Effect.succeed(true)))
  }
}
