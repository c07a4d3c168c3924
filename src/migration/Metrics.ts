/**
 * What migrations have done so far, as Effect metrics named after QEMU's counters.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Snapshot } from "./Progress.ts"

/**
 * Pages moved as data (QEMU's `ram.normal`).
 *
 * @category metrics
 * @since 0.1.0
 */
export const normalPages: Metric.Counter<number> = Metric.counter("multifd_ram_normal_pages_total", {
  description: "Pages moved as data",
  incremental: true
})

/**
 * Pages found to be all zeros (QEMU's `ram.duplicate`).
 *
 * @category metrics
 * @since 0.1.0
 */
export const zeroPages: Metric.Counter<number> = Metric.counter("multifd_ram_duplicate_pages_total", {
  description: "Pages found to be all zeros",
  incremental: true
})

/**
 * Bytes that went through channels (QEMU's `ram.multifd-bytes`), gaps that were moved along included.
 *
 * @category metrics
 * @since 0.1.0
 */
export const bytes: Metric.Counter<number> = Metric.counter("multifd_ram_bytes_total", {
  description: "Bytes that went through channels",
  incremental: true
})

/**
 * Operations that ended, by attributes `operation` (save, restore, convert, send, receive) and `status` (completed, failed, cancelled).
 *
 * @category metrics
 * @since 0.1.0
 */
export const migrations: Metric.Counter<number> = Metric.counter("multifd_migrations_total", {
  description: "Operations that ended",
  incremental: true
})

/**
 * Adds what one operation did, however it ended.
 *
 * @internal
 */
export const record = (
  operation: string,
  { bytesTransferred, normalPages: normal, phase, zeroPages: zero }: Snapshot
) =>
  Effect.all(
    [
      Metric.update(normalPages, normal),
      Metric.update(zeroPages, zero),
      Metric.update(bytes, bytesTransferred),
      Metric.update(Metric.withAttributes(migrations, { operation, status: phase }), 1)
    ],
    { discard: true }
  )
