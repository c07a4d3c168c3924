/**
 * Common options of capturing and resuming a machine.
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
 * The machine, the transfer of its memory, and the reporting.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface VmOptions {
  /**
   * The machine's monitor. To resume, that of a QEMU that was started with the machine's command line and
   * `-incoming defer`.
   */
  readonly qmp: Client
  /** Number of channels, 1 to 255; 0: no multifd. Default 3. */
  readonly channels?: number | undefined
  /** Compression of pages in transit. Default `none`; over a socket on one machine it is only slower. */
  readonly compression?: Method | undefined
  /**
   * Longest wait for QEMU at any one point: until it connects, takes or sends data, or reports its end. Then it fails
   * with `PeerTimeoutError`. Default 60 seconds. `Duration.infinity` still limits the wait for connections.
   */
  readonly timeout?: Duration.Input | undefined
  /** Follows this side; for a capture, make it with `Progress.makeDestination`. */
  readonly progress?: Progress | undefined
  /** Called every `interval` with the statistics of QEMU's side. */
  readonly onStatistics?: ((statistics: QemuStatistics) => Effect.Effect<void>) | undefined
  /** Default 500 ms. */
  readonly interval?: Duration.Input | undefined
}
