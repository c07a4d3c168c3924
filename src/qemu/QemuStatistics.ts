/**
 * QEMU's report on its migration: the result of `query-migrate` in any version.
 *
 * Versions leave fields out (5.2 has no `precopy-bytes`), add new ones and statuses, and use all 64 bits of a number
 * (11.1 returns 2^63 - 1 for a downtime that it does not know yet). None of that is an error: unknown values are left
 * out.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { AnyNumber, lenient } from "./internal/lenient.ts"

const number = lenient(AnyNumber)

/** QEMU's value for an unknown time. */
const UNKNOWN_TIME = 2 ** 63

const milliseconds = lenient(
  AnyNumber.check(Schema.makeFilter((value) => value < UNKNOWN_TIME || "expected a known time"))
)

/**
 * QEMU's RAM counters; `Statistics.RamStatistics` describes each of them. Any of them may be missing.
 *
 * @category schemas
 * @since 0.1.0
 */
export const QemuRamStatistics = Schema.Struct({
  transferred: number,
  remaining: number,
  total: number,
  duplicate: number,
  normal: number,
  "normal-bytes": number,
  "dirty-pages-rate": number,
  mbps: number,
  "dirty-sync-count": number,
  "postcopy-requests": number,
  "page-size": number,
  "multifd-bytes": number,
  "pages-per-second": number,
  "precopy-bytes": number,
  "downtime-bytes": number,
  "postcopy-bytes": number,
  "dirty-sync-missed-zero-copy": number
})

/**
 * @category models
 * @since 0.1.0
 */
export type QemuRamStatistics = typeof QemuRamStatistics.Type

/**
 * QEMU's `MigrationInfo`, as far as it concerns RAM. Times are in milliseconds. Any field may be missing, and `status`
 * may be one that is not in `MigrationStatus.Status`. `Statistics.Statistics` is one of these.
 *
 * @category schemas
 * @since 0.1.0
 */
export const QemuStatistics = Schema.Struct({
  /** Absent in a QEMU that has never migrated. */
  status: lenient(Schema.String),
  ram: lenient(QemuRamStatistics),
  "total-time": milliseconds,
  "setup-time": milliseconds,
  downtime: milliseconds,
  "expected-downtime": milliseconds,
  "cpu-throttle-percentage": number,
  "error-desc": lenient(Schema.String),
  "blocked-reasons": lenient(Schema.Array(Schema.String))
})

/**
 * @category models
 * @since 0.1.0
 */
export type QemuStatistics = typeof QemuStatistics.Type
