import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { SocketAddress } from "../../io/sockets/SocketAddress.ts"
import type * as TlsCredentials from "../../io/sockets/TlsCredentials.ts"
import type { Summary } from "../../migration/Migration.ts"
import type { Progress } from "../../migration/Progress.ts"
import type { SnapshotSource } from "../../snapshot/SnapshotSource.ts"

import type { PeerTimeoutError } from "../../io/sockets/ConnectionError.ts"
import type { MigrationRequestError } from "../../snapshot/MigrationRequestError.ts"
import type { PostcopyPausedError } from "../PostcopyPausedError.ts"
import type { PostcopyTransitionError } from "../PostcopyState.ts"
import type { ConnectError, ReadError } from "./errors.ts"

/**
 * A page of a machine.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface PagePlace {
  /** The name of the block. */
  readonly idstr: string
  /** Bytes from its start; any offset in a page means that page. */
  readonly offset: number
}

/**
 * Source, destination and order of the pages.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options<out E = never> {
  readonly source: SnapshotSource<E>
  /** Address of the destination. */
  readonly to: SocketAddress
  /** Secures all connections. Default: they are not. */
  readonly tls?: TlsCredentials.Client | undefined
  /**
   * `true` to send requested pages over a connection of their own; the destination must have `postcopy-preempt` on, or off,
   * as well. Default `false`.
   */
  readonly preempt?: boolean | undefined
  /** Channels of a destination with multifd on: they are connected and carry nothing. Default 0. */
  readonly channels?: number | undefined
  /** The guest's, 16 bytes, for these channels. Default: zeros. */
  readonly uuid?: Uint8Array | undefined
  /** Bytes of the pages that the destination maps a block with, by its name. Default: 4096, or the block's own if larger. */
  readonly hostPageSizes?: ReadonlyMap<string, number> | undefined
  /** Pages that are sent before the guest runs, in this order. Default: those that devices of a PC read when they are loaded. */
  readonly prefix?: ReadonlyArray<PagePlace> | undefined
  /** Pages that are sent first once the guest runs. Default: none. */
  readonly order?: ReadonlyArray<PagePlace> | undefined
  /** Sends nothing unasked until this is done. Default: everything is sent as fast as the destination takes it. */
  readonly lazyUntil?: Effect.Effect<void> | undefined
  /** For each attempt to connect. Default 30 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
  /** Time without a word from the destination before the guest runs. Default 60 seconds. No limit afterwards. */
  readonly idleTimeout?: Duration.Input | undefined
  /** Runs when the destination has loaded the devices: now the guest runs, unless it was told not to. */
  readonly onRunning?: Effect.Effect<void> | undefined
  /** Told of each page that is asked for, in order, before it was sent. */
  readonly onRequest?: ((page: PagePlace) => void) | undefined
  /** Told how many milliseconds the answer to a request took, until the socket had it. */
  readonly onAnswered?: ((milliseconds: number) => void) | undefined
  /** Told that pages cannot be read; from then on only requested pages are sent. Default: a warning in the log. */
  readonly onProblem?: ((problem: string) => Effect.Effect<void>) | undefined
  /** Follows this one operation. */
  readonly progress?: Progress | undefined
}

/**
 * Outcome of a completed migration.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Sent extends Summary {
  /** Pages that were asked for before they had been sent. */
  readonly requests: number
}

/**
 * Why it failed. With `PostcopyPausedError` the guest runs and waits; with any other it has not run.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export type PostcopyError =
  ConnectError | ReadError | PeerTimeoutError | MigrationRequestError | PostcopyTransitionError | PostcopyPausedError
