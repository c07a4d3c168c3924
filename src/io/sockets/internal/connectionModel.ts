import type * as Effect from "effect/Effect"
import type * as ConnectionError from "../ConnectionError.ts"

/**
 * Errors of reading and writing.
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
 * Reading and writing are independent. At most one read and one write may be in flight: a second one dies (a bug in the
 * caller) without disturbing the first. `end` counts as a write. While no read is in flight, only a few KiB are taken
 * from the kernel, so a slow reader slows down the peer. After the first failure every call fails the same way.
 *
 * Interruption does not wait for the peer. The progress of an interrupted read or write is unknown. After an
 * interrupted read, reads fail with `ECANCELED`; an interrupted write closes the connection.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Connection {
  /** The address of the other side, as a migration URI. */
  readonly peer: string
  /** Fills all targets, in order. If the peer ends first, `ConnectionEndedError` has the number of missing bytes. */
  readonly read: (
    targets: ReadonlyArray<Uint8Array>
  ) => Effect.Effect<void, TransferError | ConnectionError.ConnectionEndedError>
  /** Fills the target, or returns false if the peer ended before its first byte. */
  readonly readOrEnd: (
    target: Uint8Array
  ) => Effect.Effect<boolean, TransferError | ConnectionError.ConnectionEndedError>
  /** Reads the available data, at least one byte; 0 if the peer ended. */
  readonly readSome: (target: Uint8Array) => Effect.Effect<number, TransferError>
  /**
   * Writes all parts, in order, without copying. Done when the kernel (or the TLS layer) has them all and they may be
   * changed again; the peer may not have them yet.
   */
  readonly write: (parts: ReadonlyArray<Uint8Array>) => Effect.Effect<void, TransferError>
  /**
   * Ends our side properly, with TLS by a close_notify; reading continues. Done when the kernel has it. Call it once.
   */
  readonly end: Effect.Effect<void, TransferError>
  /** Bytes read so far, without the overhead of TLS. */
  readonly bytesRead: number
  /** Bytes written so far, without the overhead of TLS. */
  readonly bytesWritten: number
}
