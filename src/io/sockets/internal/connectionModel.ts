import type * as Effect from "effect/Effect"
import type * as ConnectionError from "../ConnectionError.ts"

/**
 * What reading and writing fail with.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export type TransferError = ConnectionError.ConnectionLostError | ConnectionError.TlsError

/**
 * One end of a connection, over TCP, a Unix socket, or TLS on either.
 *
 * **Details**
 *
 * Reading and writing are independent of each other; of each, one at a time: a second call while one is under way is a mistake
 * of the caller's and dies, the first one is not disturbed. Ending is a kind of writing. While nobody reads, nothing is taken from the
 * kernel but a few KiB, so that a slow reader slows the peer down. After the first failure everything fails the same way.
 *
 * Interruption does not wait for the peer. How far an interrupted read or write got is unknown: afterwards, reading fails
 * with `ECANCELED`; an interrupted write closes the connection.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Connection {
  /** The address of the other side, as a migration URI. */
  readonly peer: string
  /** Fills all targets, in their order. Where the peer ends first, `ConnectionEndedError` says how much was missing. */
  readonly read: (
    targets: ReadonlyArray<Uint8Array>
  ) => Effect.Effect<void, TransferError | ConnectionError.ConnectionEndedError>
  /** Fills the target, or answers false where the peer ended before its first byte. */
  readonly readOrEnd: (
    target: Uint8Array
  ) => Effect.Effect<boolean, TransferError | ConnectionError.ConnectionEndedError>
  /** Reads what is there, at least one byte; 0 where the peer ended. */
  readonly readSome: (target: Uint8Array) => Effect.Effect<number, TransferError>
  /**
   * Writes all parts, in their order; nothing is copied. Done when the kernel (or the TLS layer) has them all and they may be
   * changed again: that is not when the peer has them.
   */
  readonly write: (parts: ReadonlyArray<Uint8Array>) => Effect.Effect<void, TransferError>
  /** Ends our side in good order, with TLS by a close_notify; reading goes on. Done when the kernel has it. Once. */
  readonly end: Effect.Effect<void, TransferError>
  /** Bytes that were read so far, without what TLS adds. */
  readonly bytesRead: number
  /** Bytes that were written so far, without what TLS adds. */
  readonly bytesWritten: number
}
