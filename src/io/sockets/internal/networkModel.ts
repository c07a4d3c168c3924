import type * as Result from "effect/Result"
import type { SocketAddress } from "../SocketAddress.ts"
import type * as TlsCredentials from "../TlsCredentials.ts"

/**
 * An error of a socket, as Node reports it. `syscall` is `connect` or `getaddrinfo` if the peer was not reached; an
 * error without it during an attempt with TLS comes from the handshake.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type ErrnoError = NodeJS.ErrnoException

/**
 * One end of a connection. `done` is called once, possibly before the call has returned.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Transport {
  /** The address of the other side, as a migration URI. */
  readonly peer: string
  /**
   * Reads at least one byte into `target`, or reports 0 if the peer ended its side. One call at a time. While no read
   * is in progress nothing is taken from the kernel, so a slow reader slows down the peer.
   */
  readonly read: (target: Uint8Array, done: (error: ErrnoError | null, bytes: number) => void) => void
  /**
   * Abandons the read in progress: its `done` is not called, and its target is no longer touched. Later reads are
   * impossible.
   */
  readonly cancelRead: () => void
  /**
   * Writes all parts, in order. Calls `done` when they may be changed again, because the kernel or the TLS layer has
   * them. One call at a time.
   */
  readonly write: (parts: ReadonlyArray<Uint8Array>, done: (error: ErrnoError | null) => void) => void
  /** Ends our side properly (TLS notifies the peer first) after everything written; reading continues. */
  readonly end: (done: (error: ErrnoError | null) => void) => void
  /**
   * Closes it at once; the kernel may still send buffered data. The memory of a call in progress is no longer touched;
   * that call may never complete.
   */
  readonly destroy: () => void
}

/**
 * An incoming connection from which nothing has been read.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Incoming {
  /** The address of the other side, as a migration URI. */
  readonly peer: string
  /** Makes the connection usable: with TLS, does the handshake first. Call it once. */
  readonly open: (done: (answer: Result.Result<Transport, ErrnoError>) => void) => void
  /** Closes it at once, during or instead of opening; `done` is no longer called. */
  readonly destroy: () => void
}

/**
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface ConnectOptions {
  readonly tls: TlsCredentials.Client | undefined
  /** Idle milliseconds before TCP probes the peer; 0: never. */
  readonly keepAlive: number
}

/**
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface ListenOptions {
  readonly tls: TlsCredentials.Server | undefined
  /** Idle milliseconds before TCP probes the peer; 0: never. */
  readonly keepAlive: number
  /** Connections that the kernel holds until they are accepted. */
  readonly backlog: number
  /** Called with each connection, in a later turn of the event loop. */
  readonly onConnection: (incoming: Incoming) => void
  /** Called once if the listener stops without having been closed. */
  readonly onError: (error: ErrnoError) => void
}

/**
 * A listening socket.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Listening {
  /** The address with the actual port. */
  readonly address: SocketAddress
  /** Stops listening. The address is available again when `done` has been called; existing connections stay open. */
  readonly close: (done: () => void) => void
}

/**
 * Operations on sockets, in callback form. Everything above (exact counts, typed errors, scopes, timeouts) is built on
 * these, so a virtual network or a layer that injects faults replaces only this service.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Calls {
  /**
   * Connects, and with TLS does the handshake. Call the returned function to cancel: `done` is not called any longer,
   * and nothing stays open.
   */
  readonly connect: (
    address: SocketAddress,
    options: ConnectOptions,
    done: (answer: Result.Result<Transport, ErrnoError>) => void
  ) => () => void
  /** Starts listening. Call the returned function before `done` to cancel. Replaces a stale Unix socket at the path. */
  readonly listen: (
    address: SocketAddress,
    options: ListenOptions,
    done: (answer: Result.Result<Listening, ErrnoError>) => void
  ) => () => void
}
