/**
 * What a QEMU says of its migration: the answer of `query-migrate`, whichever version gives it.
 *
 * Versions leave fields out (5.2 has no `precopy-bytes`), add new ones and statuses, and use all 64 bits of a number (11.1
 * answers 2^63 - 1 for a downtime that it does not know yet). Nothing of that is an error: what is not understood is left out.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { AnyNumber, lenient } from "./internal/lenient.ts"

const number = lenient(AnyNumber)

/** QEMU's way to say that it does not know a time. */
const UNKNOWN_TIME = 2 ** 63

const milliseconds = lenient(
  AnyNumber.check(Schema.makeFilter((value) => value < UNKNOWN_TIME || "expected a time that is known"))
)

/**
 * QEMU's counters of RAM; `Statistics.RamStatistics` says what each of them means. Every one may be missing.
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
 * QEMU's `MigrationInfo`, as far as it concerns RAM. Times are milliseconds. Every field may be missing, and `status` may be one
 * that is not in `MigrationStatus.Status`. `Statistics.Statistics` is one of these.
 *
 * @category schemas
 * @since 0.1.0
 */
export const QemuStatistics = Schema.Struct({
  /** Left out by a QEMU that has never migrated. */
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
