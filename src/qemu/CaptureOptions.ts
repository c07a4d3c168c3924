/**
 * What to capture, and what was captured.
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
 * What becomes of the machine when it has been captured.
 *
 * - `running`: the guest runs
 * - `paused`: the guest does not run any further than the image; one that was captured live is in `postmigrate`, in which QEMU
 *   does not migrate it again before it has run
 * - `quit`: QEMU is ended
 *
 * @category models
 * @since 0.1.0
 */
export type Leave = "running" | "paused" | "quit"

/**
 * An error of a target, which is told apart from those of QEMU's side by its tag.
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
 * What to capture, and how.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<out A = void, out E = never>
  extends VmOptions, Pick<ReceiveOptions, "seal" | "keepPartial" | "checkpointBytes"> {
  /** Where the machine goes: the path of an image, or another target. */
  readonly target: Target<A, E>
  /** Whether the guest goes on running while it is saved. Default `false`: it is stopped first. */
  readonly live?: boolean | undefined
  /**
   * Bytes a second over all channels; 0: no limit, the default. It is kept by reading no faster. A guest that is captured live
   * does not have to stand still for it: there is no limit for the last pages. A `RateLimit` can be changed while it goes on.
   */
  readonly maxBandwidth?: number | RateLimit.RateLimit | undefined
  /**
   * The longest time for which a guest that is captured live may stand still, as QEMU expects it, in milliseconds. Default: what
   * its parameter `downtime-limit` says. A longer one ends earlier.
   */
  readonly downtimeLimit?: number | undefined
  /**
   * So many rounds over the memory of a guest that is captured live, then it is stopped and the rest is copied. Default: as many
   * as it takes, which a guest that writes faster than it is copied makes endless.
   */
  readonly maxRounds?: number | undefined
  /** After such a time the same happens, whichever comes first. Default: however long it takes. */
  readonly maxTime?: Duration.Input | undefined
  /**
   * Default: a guest that was stopped for it runs again; one that was captured live is in the run state that QEMU gives it, which
   * is what others made of it meanwhile.
   */
  readonly leave?: Leave | undefined
  /** O_DIRECT for the image's pages. Default `false`. */
  readonly directIo?: boolean | undefined
  /**
   * Where to listen for QEMU. Default: a Unix socket in a private directory, which QEMU's user has to be able to reach; one of
   * another user can connect to a `SocketAddress.unix` with `everyUser`.
   */
  readonly listen?: SocketAddress.SocketAddress | undefined
  /** What QEMU may ask for, and how long it may take. `maxRam`: default twice what it says that it has, at least 1 TiB. */
  readonly limits?: PeerLimits.Input | undefined
  /**
   * Told what went wrong while the machine was left as it was or as asked, what could not be undone, that an earlier capture was
   * killed, and that the rounds of a live capture do not get smaller. Default: a warning in the log.
   */
  readonly onProblem?: ((problem: string) => Effect.Effect<void>) | undefined
}

/**
 * What was captured.
 *
 * @category models
 * @since 0.1.0
 */
export interface Captured<out A = void> extends Written<A> {
  /** The machine type with its version. */
  readonly machine: string
  /** What QEMU's side said when everything had arrived. */
  readonly statistics: QemuStatistics
  /**
   * The guest's run state in the end, in QEMU's words: `running`, `paused`, `postmigrate`, `guest-panicked`, `shutdown`, …;
   * `undefined` where QEMU was ended, or its monitor could not be asked any more.
   */
  readonly runState: string | undefined
  /** Milliseconds for which the guest stood still; `undefined` where it did not run before, or does not now. */
  readonly downtimeMillis: number | undefined
}

/**
 * Why a capture failed. Errors of QEMU's side are those that name its monitor; all others are of this side.
 *
 * @category errors
 * @since 0.1.0
 */
export type CaptureError =
  VmNotReadyError | SocketUnreachableError | QemuMigrationError | QmpError | QmpEventsError | ReceiveError | FileError
