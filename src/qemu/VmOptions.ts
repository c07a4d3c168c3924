/**
 * What capturing and resuming a machine can both be told.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { Method } from "../compression/Compression.ts"
import type { Progress } from "../migration/Progress.ts"
import type { QemuStatistics } from "./QemuStatistics.ts"
import type { Client } from "./QmpClient.ts"

/**
 * The machine, the way its memory takes, and who is told how it goes.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface VmOptions {
  /** The machine's monitor. Of a machine to be resumed, that of a QEMU that was started with its command line and `-incoming defer`. */
  readonly qmp: Client
  /** Number of channels, 1 to 255; 0: no multifd. Default 3. */
  readonly channels?: number | undefined
  /** How pages are compressed on their way. Default `none`; over a socket of one machine it only costs time. */
  readonly compression?: Method | undefined
  /**
   * How long QEMU may keep us waiting at any one point: until it connects, takes or gives something, or says how it ended. Then
   * it fails with `PeerTimeoutError`. Default 60 seconds. `Duration.infinity` still wants connections to be there in time.
   */
  readonly timeout?: Duration.Input | undefined
  /** Follows this side; of a capture, make it with `Progress.makeDestination`. */
  readonly progress?: Progress | undefined
  /** Told every `interval` what QEMU's side says. */
  readonly onStatistics?: ((statistics: QemuStatistics) => Effect.Effect<void>) | undefined
  /** Default 500 ms. */
  readonly interval?: Duration.Input | undefined
}
