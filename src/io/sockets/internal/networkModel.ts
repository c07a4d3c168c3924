import type * as Result from "effect/Result"
import type { SocketAddress } from "../SocketAddress.ts"
import type * as TlsCredentials from "../TlsCredentials.ts"

/**
 * An error of a socket, as Node reports it. `syscall` is `connect` or `getaddrinfo` where nobody was reached; what fails
 * without it during an attempt with TLS is the handshake.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type ErrnoError = NodeJS.ErrnoException

/**
 * One end of a connection. `done` is called once, perhaps before the call has returned.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Transport {
  /** The address of the other side, as a migration URI. */
  readonly peer: string
  /**
   * Reads at least one byte into `target`, or says 0 where the peer ended its side. One at a time; while none is under
   * way nothing is taken from the kernel, so that a slow reader slows the peer.
   */
  readonly read: (target: Uint8Array, done: (error: ErrnoError | null, bytes: number) => void) => void
  /** Forgets the read under way: its `done` is not called, its target not touched any more. Later reads are not possible. */
  readonly cancelRead: () => void
  /**
   * Writes all parts, in their order; `done` when they may be changed again, because the kernel or the TLS layer has them.
   * One at a time.
   */
  readonly write: (parts: ReadonlyArray<Uint8Array>, done: (error: ErrnoError | null) => void) => void
  /** Ends our side in good order (TLS says so to the peer first), behind everything written; reading goes on. */
  readonly end: (done: (error: ErrnoError | null) => void) => void
  /**
   * Closes it at once; what the kernel has not sent yet may still go. Memory of a call under way is not touched any more;
   * that call may stay without an answer.
   */
  readonly destroy: () => void
}

/**
 * A connection that came in, of which nothing has been read.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Incoming {
  /** The address of the other side, as a migration URI. */
  readonly peer: string
  /** Makes it usable: with TLS, shakes hands first. Once. */
  readonly open: (done: (answer: Result.Result<Transport, ErrnoError>) => void) => void
  /** Closes it at once, while or instead of being opened; `done` is not called any more. */
  readonly destroy: () => void
}

/**
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface ConnectOptions {
  readonly tls: TlsCredentials.Client | undefined
  /** Milliseconds without a word until TCP asks whether the peer is alive; 0: never. */
  readonly keepAlive: number
}

/**
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface ListenOptions {
  readonly tls: TlsCredentials.Server | undefined
  /** Milliseconds without a word until TCP asks whether the peer is alive; 0: never. */
  readonly keepAlive: number
  /** Connections that the kernel holds until they are accepted. */
  readonly backlog: number
  /** Told of each connection, in a later turn of the event loop. */
  readonly onConnection: (incoming: Incoming) => void
  /** Told once when nothing will come any more although nobody closed it. */
  readonly onError: (error: ErrnoError) => void
}

/**
 * A socket that listens.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Listening {
  /** With the real port. */
  readonly address: SocketAddress
  /** Stops listening. The address can be listened on again once `done` was called; connections that came in stay. */
  readonly close: (done: () => void) => void
}

/**
 * What can be done with sockets, in callback form. Everything above (exact counts, typed errors, scopes, timeouts) is built
 * on these, so a virtual network or a layer that injects faults replaces this service and nothing else.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Calls {
  /** Connects, and with TLS shakes hands. The answer takes it back: `done` is not called any more, nothing stays open. */
  readonly connect: (
    address: SocketAddress,
    options: ConnectOptions,
    done: (answer: Result.Result<Transport, ErrnoError>) => void
  ) => () => void
  /** Listens. The answer takes it back, before `done`. A Unix socket that is left over at the path is replaced. */
  readonly listen: (
    address: SocketAddress,
    options: ListenOptions,
    done: (answer: Result.Result<Listening, ErrnoError>) => void
  ) => () => void
}
