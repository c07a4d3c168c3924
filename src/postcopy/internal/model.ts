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
  /** Bytes from its start; any offset in a page refers to that page. */
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
  /** TLS credentials for all connections. Default: no TLS. */
  readonly tls?: TlsCredentials.Client | undefined
  /**
   * `true` to send requested pages over a separate connection; the destination's `postcopy-preempt` must match. Default
   * `false`.
   */
  readonly preempt?: boolean | undefined
  /** Channels of a destination with multifd on: they are connected and carry no data. Default 0. */
  readonly channels?: number | undefined
  /** The guest's UUID, 16 bytes, for these channels. Default: zeros. */
  readonly uuid?: Uint8Array | undefined
  /** `true` to send an image even if some of its pages were lost in a recovery, and are zeros. Default `false`. */
  readonly allowLost?: boolean | undefined
  /**
   * Page size with which the destination maps a block, by the block's name. Default: 4096, or the block's own if
   * larger.
   */
  readonly hostPageSizes?: ReadonlyMap<string, number> | undefined
  /**
   * Pages that are sent before the guest runs, in this order. Default: those that devices of a PC read while they are
   * loaded.
   */
  readonly prefix?: ReadonlyArray<PagePlace> | undefined
  /** Pages that are sent first once the guest runs. Default: none. */
  readonly order?: ReadonlyArray<PagePlace> | undefined
  /**
   * Nothing unrequested is sent until this has completed. Default: everything is sent as fast as the destination takes
   * it.
   */
  readonly lazyUntil?: Effect.Effect<void> | undefined
  /** Limit for each attempt to connect. Default 30 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
  /** Longest silence of the destination before the guest runs. Default 60 seconds. No limit afterwards. */
  readonly idleTimeout?: Duration.Input | undefined
  /** Runs when the destination has loaded the devices: now the guest runs, unless it is to stay stopped. */
  readonly onRunning?: Effect.Effect<void> | undefined
  /** Called with each requested page, in order, before it is sent. */
  readonly onRequest?: ((page: PagePlace) => void) | undefined
  /** Called with the milliseconds from a request until the socket had its answer. */
  readonly onAnswered?: ((milliseconds: number) => void) | undefined
  /** Called when pages cannot be read; from then on only requested pages are sent. Default: a warning in the log. */
  readonly onProblem?: ((problem: string) => Effect.Effect<void>) | undefined
  /** Follows this operation. */
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
  /** Pages that were requested before they had been sent. */
  readonly requests: number
}

/**
 * Errors of a postcopy source. With `PostcopyPausedError` the guest runs and waits; with any other it has not run.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export type PostcopyError =
  ConnectError | ReadError | PeerTimeoutError | MigrationRequestError | PostcopyTransitionError | PostcopyPausedError
