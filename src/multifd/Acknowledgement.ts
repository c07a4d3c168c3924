/**
 * The wait for the peer to confirm that it has received everything.
 *
 * ```text
 *   with a return path                            without
 *     │ ── OPEN_RETURN_PATH … ───────▶ │            │ ── … ────────────────────────▶ │
 *     │ ── …, description, end ──────▶ │            │ ── …, description, end ──────▶ │
 *     │ ◀───────────────────── SHUT 0 │ loaded     │ ◀───────────────────────── end │ loaded, or failed at the very last
 *     │ ◀───────────────────── SHUT 1 │ failed     │ ◀─────────────────────── reset │ failed
 *     │ ◀─────────── end, reset, time │ failed
 * ```
 *
 * A QEMU destination answers on a return path even if its own capability `return-path` is off, after its guest has the
 * state and before it closes. Without a return path it sends nothing: it closes when it is done, and a failure looks
 * the same unless data was left to read.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Result from "effect/Result"
import * as Finding from "../format/Finding.ts"
import * as ReturnPath from "../format/stream/ReturnPath.ts"
import type { Connection, TransferError } from "../io/sockets/Connection.ts"
import * as ConnectionError from "../io/sockets/ConnectionError.ts"
import { allOrFirstError } from "../transfer/FirstError.ts"
import { PeerFailedError } from "./PeerFailedError.ts"
import * as ProtocolError from "./ProtocolError.ts"

/**
 * The connection for the answer, and whether one was requested.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The main channel; nothing else may read from it. */
  readonly connection: Connection
  /** `true` if OPEN_RETURN_PATH was written to it. */
  readonly returnPath: boolean
  /**
   * Runs as soon as the peer is known to have everything: from then on it is the peer's guest that runs. Default:
   * nothing.
   */
  readonly onTaken?: Effect.Effect<void> | undefined
}

/**
 * Errors of the wait.
 *
 * @category errors
 * @since 0.1.0
 */
export type AcknowledgementError =
  TransferError | ConnectionError.ConnectionEndedError | ProtocolError.ProtocolError | PeerFailedError

/**
 * Runs `send`, and reads the main channel in parallel, so that a failing peer is noticed at once. Ends when `send` has
 * ended and the peer has confirmed that it has everything.
 *
 * **Details**
 *
 * `send` gets an effect to run before the byte that ends the stream: from there on the peer may be done. The peer need
 * not read the description after that byte, so once it has answered, the rest of `send` gets 500 ms, and its outcome is
 * ignored.
 *
 * A PONG and a SWITCHOVER_ACK are skipped. A postcopy message, or any data without a return path, is a `ProtocolError`.
 * When a connection breaks, the peer's answer is awaited for another 2 s: a failing destination breaks its channels
 * first and then reports its failure. Otherwise the wait has no limit of its own; the `Watchdog` limits it.
 *
 * **Failure effect**: it is unknown what the peer did with the data, except after `PeerFailedError`: it discarded it.
 *
 * @category running
 * @since 0.1.0
 */
export const during = <E, R>(
  send: (mayBeDone: Effect.Effect<void>) => Effect.Effect<void, E, R>,
  options: Options
): Effect.Effect<void, E | AcknowledgementError, R> =>
  Effect.suspend(() => {
    let isComplete = false
    const hasAnswered = Latch.makeUnsafe()
    const answered = answer(options, () => isComplete).pipe(
      Effect.catchIf(isClosedByUs, () => Effect.never),
      Effect.andThen(options.onTaken ?? Effect.void),
      Effect.map(() => void hasAnswered.openUnsafe())
    )
    const sent = send(Effect.sync(() => void (isComplete = true))).pipe(
      Effect.catchIf(
        (error) => error instanceof ConnectionError.ConnectionLostError,
        (error) => Effect.raceFirst(hasAnswered.await, Effect.andThen(Effect.sleep(FAILURE_GRACE), Effect.fail(error)))
      ),
      Effect.raceFirst(Effect.andThen(hasAnswered.await, Effect.sleep(GRACE)))
    )
    return allOrFirstError<E | AcknowledgementError, R>([sent, answered])
  })

/** A failure that interrupts a write also closes the connection: `send` is about to fail with the reason. */
const isClosedByUs = (error: AcknowledgementError): boolean =>
  error._tag === "ConnectionLostError" && error.code === "ECANCELED"

/** Time for a peer to read a description that it does not need. */
const GRACE = "500 millis"
/** Time that a busy QEMU needs between shutting its channels down and its answer. */
const FAILURE_GRACE = "2 seconds"

const answer = (options: Options, isComplete: () => boolean): Effect.Effect<void, AcknowledgementError> =>
  Effect.mapError(options.returnPath ? shut(options, isComplete) : close(options, isComplete), (error) =>
    error instanceof PeerFailedError || error instanceof ProtocolError.ProtocolError
      ? error
      : ConnectionError.at(error, { channel: "main" })
  )

/** Bytes of a SHUT, the expected answer. */
const SHUT_LENGTH = ReturnPath.HEADER_LENGTH + 4

const shut = Effect.fnUntraced(function* (
  { connection }: Options,
  isComplete: () => boolean
): Effect.fn.Return<void, AcknowledgementError> {
  const { peer } = connection
  const buffer = new Uint8Array(ReturnPath.HEADER_LENGTH + ReturnPath.MAX_BODY_LENGTH)
  for (;;) {
    const begin = connection.bytesRead
    const head = buffer.subarray(0, ReturnPath.HEADER_LENGTH)
    if (!(yield* connection.readOrEnd(head))) {
      return yield* new ConnectionError.ConnectionEndedError({ peer, expected: SHUT_LENGTH, found: 0 })
    }
    const header = yield* decoded(peer, ReturnPath.decodeHeader(head, begin))
    const body = buffer.subarray(head.length, head.length + header.length)
    if (header.length > 0) yield* connection.read([body])
    const message = yield* decoded(peer, ReturnPath.decodeBody(header, body, begin + head.length))
    switch (message._tag) {
      case "Shut":
        if (message.value !== 0) return yield* new PeerFailedError({ peer, answer: "failed" })
        return isComplete() ? undefined : yield* new PeerFailedError({ peer, answer: "early" })
      case "Pong":
      case "SwitchoverAck":
        break
      default:
        return yield* unexpected(peer, begin, "SHUT, PONG or SWITCHOVER_ACK", message._tag)
    }
  }
})

const close = Effect.fnUntraced(function* (
  { connection }: Options,
  isComplete: () => boolean
): Effect.fn.Return<void, AcknowledgementError> {
  const { peer } = connection
  const bytes = yield* connection.readSome(new Uint8Array(SHUT_LENGTH))
  if (bytes > 0) return yield* unexpected(peer, 0, "only the end, without a return path", `${bytes} bytes`)
  if (!isComplete()) return yield* new ConnectionError.ConnectionEndedError({ peer, expected: 1, found: 0 })
})

const decoded = <A>(peer: string, result: Result.Result<A, Finding.Finding>) =>
  Effect.mapError(Effect.fromResult(result), (finding) => ProtocolError.fromFinding(peer, "main", finding))

const unexpected = (peer: string, offset: number, expected: string, found: string): ProtocolError.ProtocolError =>
  ProtocolError.fromFinding(
    peer,
    "main",
    Finding.make({ code: "return-path-message-unknown", offset, expected, found })
  )
