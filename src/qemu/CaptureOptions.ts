/**
 * Options and results of a capture.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { FileError } from "../io/files/FileError.ts"
import type * as SocketAddress from "../io/sockets/SocketAddress.ts"
import type { Target, Written } from "../migration/Migration.ts"
import type { ReceiveError, ReceiveOptions } from "../migration/ReceiveOptions.ts"
import type * as PeerLimits from "../multifd/PeerLimits.ts"
import type * as RateLimit from "../transfer/RateLimit.ts"
import type { QemuStatistics } from "./QemuStatistics.ts"
import type { QmpError, QmpEventsError } from "./QmpError.ts"
import type { QemuMigrationError, SocketUnreachableError, VmNotReadyError } from "./VmError.ts"
import type { VmOptions } from "./VmOptions.ts"

/**
 * The state of the machine after its capture.
 *
 * - `running`: the guest runs
 * - `paused`: the guest does not run past the image; one that was captured live is in `postmigrate`, from which QEMU
 *   does not migrate it again before it has run
 * - `quit`: QEMU exits
 *
 * @category models
 * @since 0.1.0
 */
export type Leave = "running" | "paused" | "quit"

/**
 * An error of a target; its tag distinguishes it from errors on QEMU's side.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export interface TaggedError {
  readonly _tag: string
  readonly message: string
}

/**
 * Options of a capture.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<out A = void, out E = never>
  extends VmOptions, Pick<ReceiveOptions, "seal" | "keepPartial" | "checkpointBytes"> {
  /** The destination of the machine: the path of an image, or another target. */
  readonly target: Target<A, E>
  /** `true` to keep the guest running during the save. Default `false`: it is stopped first. */
  readonly live?: boolean | undefined
  /**
   * Bytes per second over all channels; 0: no limit, the default. It is enforced by reading no faster. The limit is
   * lifted for the last pages of a guest that is captured live, so it does not lengthen the downtime. A `RateLimit` can
   * be changed during the capture.
   */
  readonly maxBandwidth?: number | RateLimit.RateLimit | undefined
  /**
   * Longest downtime of a guest that is captured live, as QEMU estimates it, in milliseconds. Default: its parameter
   * `downtime-limit`. A longer one ends the capture earlier.
   */
  readonly downtimeLimit?: number | undefined
  /**
   * Most rounds over the memory of a guest that is captured live; then it is stopped and the rest is copied. Default:
   * as many as necessary, which is endless for a guest that writes faster than it is copied.
   */
  readonly maxRounds?: number | undefined
  /** Like `maxRounds`, after this time; the earlier one applies. Default: no limit. */
  readonly maxTime?: Duration.Input | undefined
  /**
   * Default: a guest that was stopped for the capture runs again; one that was captured live is in the run state that
   * QEMU gives it, including changes by others in the meantime.
   */
  readonly leave?: Leave | undefined
  /** Uses O_DIRECT for the image's pages. Default `false`. */
  readonly directIo?: boolean | undefined
  /**
   * The address on which to listen for QEMU. Default: a Unix socket in a private directory, which QEMU's user must be
   * able to reach. A QEMU of another user can connect to a `SocketAddress.unix` with `everyUser`.
   */
  readonly listen?: SocketAddress.SocketAddress | undefined
  /** Limits on QEMU's demands and its time. `maxRam`: default twice the RAM that it reports, at least 1 TiB. */
  readonly limits?: PeerLimits.Input | undefined
  /**
   * Called with problems: failures while the machine was restored or left as requested, steps that could not be undone,
   * an earlier capture that was killed, and rounds of a live capture that do not shrink. Default: a warning in the log.
   */
  readonly onProblem?: ((problem: string) => Effect.Effect<void>) | undefined
}

/**
 * The result of a capture.
 *
 * @category models
 * @since 0.1.0
 */
export interface Captured<out A = void> extends Written<A> {
  /** The machine type with its version. */
  readonly machine: string
  /** The report of QEMU's side when everything had arrived. */
  readonly statistics: QemuStatistics
  /**
   * The guest's final run state, in QEMU's terms: `running`, `paused`, `postmigrate`, `guest-panicked`, `shutdown`, …;
   * `undefined` if QEMU has exited, or its monitor could no longer be asked.
   */
  readonly runState: string | undefined
  /** Milliseconds for which the guest was stopped; `undefined` if it did not run before, or does not now. */
  readonly downtimeMillis: number | undefined
}

/**
 * Errors of a capture. Errors on QEMU's side name its monitor; all others are from this side.
 *
 * @category errors
 * @since 0.1.0
 */
export type CaptureError =
  VmNotReadyError | SocketUnreachableError | QemuMigrationError | QmpError | QmpEventsError | ReceiveError | FileError
