/**
 * Counters of migrations, as Effect metrics named after QEMU's counters.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Snapshot } from "./Progress.ts"

const counter = (name: string, description: string): Metric.Counter<number> =>
  Metric.counter(name, { description, incremental: true })

/**
 * Pages moved as data (QEMU's `ram.normal`).
 *
 * @stability stable
 * @category metrics
 * @since 0.1.0
 */
export const normalPages: Metric.Counter<number> = counter("multifd_ram_normal_pages_total", "Pages moved as data")

/**
 * Pages found to be all zeros (QEMU's `ram.duplicate`).
 *
 * @stability stable
 * @category metrics
 * @since 0.1.0
 */
export const zeroPages: Metric.Counter<number> = counter(
  "multifd_ram_duplicate_pages_total",
  "Pages found to be all zeros"
)

/**
 * Bytes moved over channels (QEMU's `ram.multifd-bytes`), including gaps that were moved along.
 *
 * @stability stable
 * @category metrics
 * @since 0.1.0
 */
export const bytes: Metric.Counter<number> = counter("multifd_ram_bytes_total", "Bytes moved over channels")

/**
 * Finished operations, by the attributes `operation` (save, restore, convert, send, receive) and `status` (completed,
 * failed, cancelled).
 *
 * @stability stable
 * @category metrics
 * @since 0.1.0
 */
export const migrations: Metric.Counter<number> = counter("multifd_migrations_total", "Finished operations")

/**
 * Adds the counters of one operation, whatever its outcome.
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
