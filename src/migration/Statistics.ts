/**
 * The statistics of a migration, in the form and with the names of QEMU's `query-migrate`.
 *
 * ```text
 *   setup        active                     pre-switchover   device          completed
 *   ├─ setup-time ─┤                                         │               │
 *   │              │                    guest stopped ├───── downtime ───────┤
 *   ├────────────────────────── total-time ──────────────────────────────────┤
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { TransferCounters } from "../transfer/TransferCounters.ts"
import { defaultPageSize } from "../ram/RamBlock.ts"
import * as MigrationStatus from "./MigrationStatus.ts"

/**
 * QEMU's RAM counters. Differences from QEMU are noted.
 *
 * @stability stable
 * @category schemas
 * @since 0.1.0
 */
export const RamStatistics = Schema.Struct({
  /**
   * Bytes written on the main channel, and `multifd-bytes`. Here, for files and for received data: only
   * `multifd-bytes`.
   */
  transferred: Schema.Number,
  /** Dirty bytes of RAM; 0 when completed. */
  remaining: Schema.Number,
  /** Bytes of RAM. */
  total: Schema.Number,
  /** Pages found to be all zeros, by any method. */
  duplicate: Schema.Number,
  /** Pages moved as data. A page counts each time it is moved. */
  normal: Schema.Number,
  /** `normal` × `page-size`, before any compression. */
  "normal-bytes": Schema.Number,
  /** Pages that became dirty per second, between the last two dirty syncs. */
  "dirty-pages-rate": Schema.Number,
  /** Megabits per second over the last 100 ms or more; when completed, over the whole time except `setup-time`. */
  mbps: Schema.Number,
  /** Number of dirty syncs; the first one happens during `setup`. QEMU also syncs if the guest has not written. */
  "dirty-sync-count": Schema.Number,
  /** Only QEMU has postcopy: 0. */
  "postcopy-requests": Schema.Number,
  /** Bytes in a page. */
  "page-size": Schema.Number,
  /**
   * Bytes written on the channels, including headers of packets. For files, only pages; here, including gaps that were
   * moved along.
   */
  "multifd-bytes": Schema.Number,
  /** Pages, including zero pages, over the last 100 ms or more. */
  "pages-per-second": Schema.Number,
  /** QEMU: bytes that its main thread moved while the guest ran. Here: bytes that all channels moved in that time. */
  "precopy-bytes": Schema.Number,
  /** The same while the guest was stopped. */
  "downtime-bytes": Schema.Number,
  /** Only QEMU has postcopy: 0. */
  "postcopy-bytes": Schema.Number,
  /** Flushes of zero-copy sending, which only QEMU has, that were copied in the end: 0. */
  "dirty-sync-missed-zero-copy": Schema.Number
})

/**
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type RamStatistics = typeof RamStatistics.Type

/**
 * QEMU's `MigrationInfo`, as far as it concerns RAM. Times are in milliseconds. In `none`, `setup`, `failed` and
 * `cancelled`, QEMU reports little more than the status; our own are always complete.
 *
 * @stability stable
 * @category schemas
 * @since 0.1.0
 */
export const Statistics = Schema.Struct({
  /** Absent in a QEMU that has never migrated. */
  status: Schema.optionalKey(MigrationStatus.Status),
  ram: Schema.optionalKey(RamStatistics),
  /** From `setup` to the end, or until now. */
  "total-time": Schema.optionalKey(Schema.Number),
  /** From `setup` to `active`. */
  "setup-time": Schema.optionalKey(Schema.Number),
  /** From the stop of the guest to `completed`; here: to the resume of the guest, if that is earlier. */
  downtime: Schema.optionalKey(Schema.Number),
  /** Estimated downtime if the guest were stopped now, until the end; here: available after the first dirty sync. */
  "expected-downtime": Schema.optionalKey(Schema.Number),
  /** Percentage by which the guest's processors are throttled. */
  "cpu-throttle-percentage": Schema.optionalKey(Schema.Number),
  /** The first reason of a failure. */
  "error-desc": Schema.optionalKey(Schema.String),
  /** Reasons why the machine cannot be migrated. */
  "blocked-reasons": Schema.optionalKey(Schema.Array(Schema.String))
})

/**
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Statistics = typeof Statistics.Type

/**
 * Collects the statistics of one migration. The functions called by an engine are cheap enough for every batch.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Recorder {
  /** The current statistics. */
  readonly snapshot: Effect.Effect<Statistics>
  /** A snapshot at once and after every `interval`; ends with the snapshot of the migration's end. */
  readonly changes: (interval: Duration.Input) => Stream.Stream<Statistics>
  /** Sets the migrated RAM, if it was not known at the start. */
  readonly covers: (ram: Ram) => void
  /** Counts bytes on the main channel. */
  readonly addMainBytes: (bytes: number) => void
  /**
   * Records the result of a dirty sync: the number of pages to move now. The first one finds all of them; each later
   * one begins a round.
   */
  readonly dirtySync: (dirtyPages: number) => Effect.Effect<void>
  /** Records the downtime, in milliseconds, if the guest were stopped now. */
  readonly expectDowntime: (milliseconds: number) => void
  /** Records the throttling of the guest, in percent; 0: none. */
  readonly throttle: (percent: number) => void
  /** Records that the guest has stopped. */
  readonly guestStopped: Effect.Effect<void>
  /** Records that the guest runs again, before the migration has completed. */
  readonly guestResumed: Effect.Effect<void>
  /** Records the reason of a failure; only the first one counts. */
  readonly failed: (description: string) => void
}

/**
 * The migrated RAM.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Ram {
  /** Bytes of RAM. */
  readonly bytesTotal: number
  /** Bytes in a page. */
  readonly pageSize: number
  /** `true` if the guest writes to RAM until `guestStopped`. Default `false`. */
  readonly live?: boolean | undefined
}

/**
 * The sources of the statistics.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly status: MigrationStatus.MigrationStatus
  /** Increased by the channels. */
  readonly counters: TransferCounters
  /** Default: none, until `covers` sets it. */
  readonly ram?: Ram | undefined
}

const noRam: Ram = { bytesTotal: 0, pageSize: defaultPageSize }

/** Shortest window of a rate, in milliseconds. */
const RATE_WINDOW = 100

/** The counters at some time. */
interface Sample {
  readonly time: number
  readonly bytes: number
  readonly pages: number
}

const megabits = (bytes: number, milliseconds: number): number =>
  milliseconds > 0 ? (bytes * 8) / milliseconds / 1000 : 0

/** Starts following `counters`; rates are unknown for the first 100 ms. */
const makeRates = () => {
  let last: Sample | undefined
  let rates = { mbps: 0, "pages-per-second": 0 }
  return (now: Sample): typeof rates => {
    if (last === undefined) last = now
    const elapsed = now.time - last.time
    if (elapsed >= RATE_WINDOW) {
      const pages = ((now.pages - last.pages) * 1000) / elapsed
      rates = { mbps: megabits(now.bytes - last.bytes, elapsed), "pages-per-second": pages }
      last = now
    }
    return rates
  }
}

/** Tracks the number of pages to move, and the rate at which pages become dirty. */
const makeDirty = () => {
  let syncs = 0
  let dirty = 0
  let since: Sample | undefined
  let rate = 0
  return {
    /** Pages left from the previous round had been dirty already. */
    sync: (found: number, now: Sample): void => {
      if (since !== undefined && now.time > since.time) {
        const left = Math.max(0, dirty - (now.pages - since.pages))
        rate = (Math.max(0, found - left) * 1000) / (now.time - since.time)
      }
      syncs++
      dirty = found
      since = now
    },
    at: ({ pages }: Sample) => ({
      syncs,
      rate,
      remaining: since === undefined ? undefined : Math.max(0, dirty - (pages - since.pages))
    })
  }
}

/** Durations, from the statuses that begin and end them; an unfinished one lasts until now. */
const timesOf = (entered: MigrationStatus.Entered, now: number, stopped?: number, resumed?: number) => {
  const end = entered.completed ?? entered.failed ?? entered.cancelled ?? now
  const { active, setup } = entered
  return {
    ...(setup === undefined ? {} : { "total-time": end - setup, "setup-time": (active ?? end) - setup }),
    ...(entered.completed === undefined ? {} : { downtime: (resumed ?? entered.completed) - (stopped ?? setup ?? end) })
  }
}

/** The fields that QEMU leaves out as long as they have no value. */
const optionalOf = (
  expectedDowntime: number | undefined,
  throttled: number,
  reason: string | undefined
): Pick<Statistics, "expected-downtime" | "cpu-throttle-percentage" | "error-desc"> => ({
  ...(expectedDowntime === undefined ? {} : { "expected-downtime": expectedDowntime }),
  ...(throttled > 0 ? { "cpu-throttle-percentage": throttled } : {}),
  ...(reason === undefined ? {} : { "error-desc": reason })
})

/** Snapshots at an interval, and a last one when the migration is over. */
const changesOf = (snapshot: Effect.Effect<Statistics>, status: Options["status"]): Recorder["changes"] => {
  const over = Stream.runDrain(Stream.takeUntil(status.changes, MigrationStatus.isFinal))
  return (interval) =>
    Stream.fromEffectSchedule(snapshot, Schedule.spaced(interval)).pipe(
      Stream.interruptWhen(over),
      Stream.concat(Stream.fromEffect(snapshot))
    )
}

/**
 * Makes the recorder of a migration that is about to begin.
 *
 * **Example** (Following a custom migration)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { MigrationStatus, Progress, Statistics } from "effect-multifd"
 *
 * export const program = Effect.gen(function* () {
 *   const status = yield* MigrationStatus.make("source")
 *   const { counters } = yield* Progress.make
 *   const statistics = Statistics.make({ status, counters, ram: { bytesTotal: 2 ** 30, pageSize: 4096 } })
 *   yield* status.enter("setup")
 *   yield* statistics.dirtySync(2 ** 18)
 *   return yield* statistics.snapshot
 * })
 * ```
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const make = ({ counters, ram = noRam, status }: Options): Recorder => {
  const rates = makeRates()
  const dirty = makeDirty()
  let covered = ram
  let mainBytes = 0
  let stopped: Sample | undefined
  let resumed: Sample | undefined
  let expectedDowntime: number | undefined
  let throttled = 0
  let reason: string | undefined

  const multifdBytes = () => counters.bytes - counters.recordBytes
  const sampleAt = (time: number): Sample => ({
    time,
    bytes: mainBytes + multifdBytes(),
    pages: counters.normalPages + counters.zeroPages
  })
  const ramAt = (now: Sample, current: MigrationStatus.Status, times: ReturnType<typeof timesOf>): RamStatistics => {
    const { bytesTotal, live = false, pageSize } = covered
    const { rate, remaining = bytesTotal / pageSize, syncs } = dirty.at(now)
    const completed = current === "completed"
    const moved = (times["total-time"] ?? 0) - (times["setup-time"] ?? 0)
    const recent = rates(now)
    const running = live ? now.bytes : 0
    const whileStopped = (resumed ?? now).bytes - (stopped?.bytes ?? running)
    return {
      transferred: now.bytes,
      remaining: completed ? 0 : remaining * pageSize,
      total: bytesTotal,
      duplicate: counters.zeroPages,
      normal: counters.normalPages,
      "normal-bytes": counters.normalPages * pageSize,
      "dirty-pages-rate": rate,
      mbps: completed ? megabits(now.bytes, moved) : recent.mbps,
      "dirty-sync-count": syncs,
      "postcopy-requests": 0,
      "page-size": pageSize,
      "multifd-bytes": multifdBytes(),
      "pages-per-second": recent["pages-per-second"],
      "precopy-bytes": now.bytes - whileStopped,
      "downtime-bytes": whileStopped,
      "postcopy-bytes": 0,
      "dirty-sync-missed-zero-copy": 0
    }
  }
  const snapshot: Effect.Effect<Statistics> = Effect.gen(function* () {
    const now = sampleAt(yield* Clock.currentTimeMillis)
    const current = yield* status.current
    const times = timesOf(yield* status.entered, now.time, stopped?.time, resumed?.time)
    const isOver = !MigrationStatus.isRunning(current)
    return {
      status: current,
      ram: ramAt(now, current, times),
      ...times,
      ...optionalOf(isOver ? undefined : expectedDowntime, throttled, reason)
    }
  })
  const atNow = (f: (now: Sample) => void) => Effect.map(Clock.currentTimeMillis, (time) => f(sampleAt(time)))
  return {
    snapshot,
    changes: changesOf(snapshot, status),
    covers: (ram) => void (covered = ram),
    addMainBytes: (bytes) => void (mainBytes += bytes),
    dirtySync: (dirtyPages) => atNow((now) => dirty.sync(dirtyPages, now)),
    expectDowntime: (milliseconds) => void (expectedDowntime = milliseconds),
    throttle: (percent) => void (throttled = percent),
    guestStopped: atNow((now) => void (stopped ??= now)),
    guestResumed: atNow((now) => void (resumed ??= now)),
    failed: (description) => void (reason ??= description)
  }
}
