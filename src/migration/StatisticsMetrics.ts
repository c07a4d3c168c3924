/**
 * The statistics of the current migration, as Effect metrics. Their names follow Prometheus, with the unit at the end.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Stream from "effect/Stream"
import type { RamStatistics, Recorder, Statistics } from "./Statistics.ts"

/** Our own statistics, or a QEMU's, which may lack any field. */
interface Said extends Partial<Omit<Statistics, "ram" | "status">> {
  readonly ram?: Partial<RamStatistics>
}

interface Definition {
  readonly name: string
  readonly description: string
  readonly value: (statistics: Said) => number | undefined
}

const ram =
  (field: keyof RamStatistics, factor = 1) =>
  ({ ram }: Said) => {
    const value = ram?.[field]
    return value === undefined ? undefined : value * factor
  }

const seconds = (field: "total-time" | "setup-time" | "downtime" | "expected-downtime") => (statistics: Said) =>
  statistics[field] && statistics[field] / 1000

const BITS_PER_MEGABIT = 1_000_000

const definitions: ReadonlyArray<Definition> = [
  { name: "ram_transferred_bytes", description: "Bytes written", value: ram("transferred") },
  { name: "ram_remaining_bytes", description: "Bytes of RAM that are dirty", value: ram("remaining") },
  { name: "ram_total_bytes", description: "Bytes of RAM", value: ram("total") },
  { name: "ram_duplicate_pages", description: "Pages found to be all zeros", value: ram("duplicate") },
  { name: "ram_normal_pages", description: "Pages moved as data", value: ram("normal") },
  { name: "ram_normal_bytes", description: "Bytes of the pages moved as data", value: ram("normal-bytes") },
  { name: "ram_page_size_bytes", description: "Bytes in a page", value: ram("page-size") },
  { name: "ram_multifd_bytes", description: "Bytes written on the channels", value: ram("multifd-bytes") },
  { name: "ram_precopy_bytes", description: "Bytes written while the guest ran", value: ram("precopy-bytes") },
  {
    name: "ram_downtime_bytes",
    description: "Bytes written while the guest was stopped",
    value: ram("downtime-bytes")
  },
  { name: "ram_dirty_pages_per_second", description: "Rate of pages becoming dirty", value: ram("dirty-pages-rate") },
  { name: "ram_pages_per_second", description: "Pages moved", value: ram("pages-per-second") },
  { name: "ram_bits_per_second", description: "Bits written", value: ram("mbps", BITS_PER_MEGABIT) },
  { name: "ram_dirty_syncs", description: "Number of dirty syncs", value: ram("dirty-sync-count") },
  { name: "total_seconds", description: "From setup to the end, or until now", value: seconds("total-time") },
  { name: "setup_seconds", description: "From setup to active", value: seconds("setup-time") },
  { name: "downtime_seconds", description: "From the guest's stop to completed", value: seconds("downtime") },
  {
    name: "expected_downtime_seconds",
    description: "Estimated downtime if the guest were stopped now",
    value: seconds("expected-downtime")
  }
]

const gauges = definitions.map(({ description, name, value }) => ({
  value,
  gauge: Metric.gauge(`multifd_migration_${name}`, { description })
}))

/**
 * The names of all metrics, `multifd_migration_ram_transferred_bytes` and so on.
 *
 * @stability stable
 * @category metrics
 * @since 0.1.0
 */
export const names: ReadonlyArray<string> = gauges.map(({ gauge }) => gauge.id)

/**
 * Sets the metrics from statistics, our own or a QEMU's. Metrics of absent fields are unchanged.
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const update = (statistics: Said): Effect.Effect<void> =>
  Effect.forEach(
    gauges,
    ({ gauge, value }) => {
      const now = value(statistics)
      return now === undefined ? Effect.void : Metric.update(gauge, now)
    },
    { discard: true }
  )

/**
 * Updates the metrics until the migration's end.
 *
 * @stability stable
 * @category running
 * @since 0.1.0
 */
export const follow = (recorder: Recorder, interval: Duration.Input): Effect.Effect<void> =>
  Stream.runForEach(recorder.changes(interval), update)
