/**
 * What a migration has done so far, in the shape and with the names of QEMU's `query-migrate`.
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
 * QEMU's counters of RAM. Where ours mean something else it is said.
 *
 * @stability stable
 * @category schemas
 * @since 0.1.0
 */
export const RamStatistics = Schema.Struct({
  /** Bytes written on the main channel, and `multifd-bytes`. Ours, of files and of what is received: `multifd-bytes` only. */
  transferred: Schema.Number,
  /** Bytes of RAM that are dirty; 0 when completed. */
  remaining: Schema.Number,
  /** Bytes of RAM. */
  total: Schema.Number,
  /** Pages found to be all zeros, in whatever way. */
  duplicate: Schema.Number,
  /** Pages moved as data. A page that is moved twice counts twice. */
  normal: Schema.Number,
  /** `normal` × `page-size`: what compression makes of it does not show. */
  "normal-bytes": Schema.Number,
  /** Pages that became dirty, per second, between the last two looks at what is dirty. */
  "dirty-pages-rate": Schema.Number,
  /** Megabits per second: of the last 100 ms or more; when completed, of all the time but `setup-time`. */
  mbps: Schema.Number,
  /** How often it was looked at what is dirty; the first time during `setup`. QEMU looks again where nobody has written, too. */
  "dirty-sync-count": Schema.Number,
  /** Postcopy is QEMU's alone: 0. */
  "postcopy-requests": Schema.Number,
  /** Bytes of a page. */
  "page-size": Schema.Number,
  /** Bytes written on the channels, heads of packets included. Files: of pages only; ours include gaps that were moved along. */
  "multifd-bytes": Schema.Number,
  /** Pages, zero ones included, of the last 100 ms or more. */
  "pages-per-second": Schema.Number,
  /** QEMU: what its main thread moved while the guest ran. Ours: what all channels moved in that time. */
  "precopy-bytes": Schema.Number,
  /** The same while the guest was stopped. */
  "downtime-bytes": Schema.Number,
  /** Postcopy is QEMU's alone: 0. */
  "postcopy-bytes": Schema.Number,
  /** Flushes of zero-copy sending, which is QEMU's alone, that were copied after all: 0. */
  "dirty-sync-missed-zero-copy": Schema.Number
})

/**
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type RamStatistics = typeof RamStatistics.Type

/**
 * QEMU's `MigrationInfo`, as far as it concerns RAM. Times are milliseconds. In `none`, `setup`, `failed` and `cancelled` QEMU
 * says little more than the status; ours always say everything.
 *
 * @stability stable
 * @category schemas
 * @since 0.1.0
 */
export const Statistics = Schema.Struct({
  /** Left out by a QEMU that has never migrated. */
  status: Schema.optionalKey(MigrationStatus.Status),
  ram: Schema.optionalKey(RamStatistics),
  /** From `setup` to the end, or up to now. */
  "total-time": Schema.optionalKey(Schema.Number),
  /** From `setup` to `active`. */
  "setup-time": Schema.optionalKey(Schema.Number),
  /**
   * From the moment at which the guest was stopped to `completed`; ours: to the moment at which it was let go on, where that
   * is earlier.
   */
  downtime: Schema.optionalKey(Schema.Number),
  /** How long the guest would be stopped if it were now, up to the end; ours: from the first look at what is left on. */
  "expected-downtime": Schema.optionalKey(Schema.Number),
  /** How much of its time the guest's processors are kept from running. */
  "cpu-throttle-percentage": Schema.optionalKey(Schema.Number),
  /** Why it failed: the first reason. */
  "error-desc": Schema.optionalKey(Schema.String),
  /** What keeps the machine from being migrated. */
  "blocked-reasons": Schema.optionalKey(Schema.Array(Schema.String))
})

/**
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Statistics = typeof Statistics.Type

/**
 * Collects the statistics of one migration. The functions that an engine calls are cheap enough for every batch.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Recorder {
  /** The migration at this moment. */
  readonly snapshot: Effect.Effect<Statistics>
  /** A snapshot at once and after every `interval`; ends with the snapshot of the migration's end. */
  readonly changes: (interval: Duration.Input) => Stream.Stream<Statistics>
  /** Says what is migrated, where that was not known in the beginning. */
  readonly covers: (ram: Ram) => void
  /** Counts bytes on the main channel. */
  readonly addMainBytes: (bytes: number) => void
  /**
   * Says what a look at the dirty pages found: how many there are to be moved now. The first look finds all of them; each
   * later one begins a round.
   */
  readonly dirtySync: (dirtyPages: number) => Effect.Effect<void>
  /** Says how long the guest would be stopped if it were now, in milliseconds. */
  readonly expectDowntime: (milliseconds: number) => void
  /** Says how much the guest is being slowed down, in percent; 0: not at all. */
  readonly throttle: (percent: number) => void
  /** Says that the guest does not run any more. */
  readonly guestStopped: Effect.Effect<void>
  /** Says that the guest runs again, before the migration has completed. */
  readonly guestResumed: Effect.Effect<void>
  /** Says why it failed; only the first reason counts. */
  readonly failed: (description: string) => void
}

/**
 * The RAM that is migrated.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Ram {
  /** Bytes of RAM. */
  readonly bytesTotal: number
  /** Bytes of a page. */
  readonly pageSize: number
  /** Whether whoever writes to RAM goes on doing so until `guestStopped`. Default `false`. */
  readonly live?: boolean | undefined
}

/**
 * What is counted.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly status: MigrationStatus.MigrationStatus
  /** Raised by the channels. */
  readonly counters: TransferCounters
  /** Default: nothing, until `covers` says more. */
  readonly ram?: Ram | undefined
}

const noRam: Ram = { bytesTotal: 0, pageSize: defaultPageSize }

/** Rates are those of windows that are at least this long, in milliseconds. */
const RATE_WINDOW = 100

/** What had been done at some time. */
interface Mark {
  readonly time: number
  readonly bytes: number
  readonly pages: number
}

const megabits = (bytes: number, milliseconds: number): number =>
  milliseconds > 0 ? (bytes * 8) / milliseconds / 1000 : 0

/** Begins to follow `counters`; of a rate nothing is known in the first 100 ms. */
const makeRates = () => {
  let last: Mark | undefined
  let rates = { mbps: 0, "pages-per-second": 0 }
  return (now: Mark): typeof rates => {
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

/** How many pages there are to be moved, and how fast they become dirty. */
const makeDirty = () => {
  let syncs = 0
  let dirty = 0
  let since: Mark | undefined
  let rate = 0
  return {
    /** Pages that were left from the round before had been dirty already. */
    sync: (found: number, now: Mark): void => {
      if (since !== undefined && now.time > since.time) {
        const left = Math.max(0, dirty - (now.pages - since.pages))
        rate = (Math.max(0, found - left) * 1000) / (now.time - since.time)
      }
      syncs++
      dirty = found
      since = now
    },
    at: ({ pages }: Mark) => ({
      syncs,
      rate,
      remaining: since === undefined ? undefined : Math.max(0, dirty - (pages - since.pages))
    })
  }
}

/** Times by the statuses that begin and end them; what has not ended lasts up to now. */
const timesOf = (entered: MigrationStatus.Entered, now: number, stopped?: number, resumed?: number) => {
  const end = entered.completed ?? entered.failed ?? entered.cancelled ?? now
  const { active, setup } = entered
  return {
    ...(setup === undefined ? {} : { "total-time": end - setup, "setup-time": (active ?? end) - setup }),
    ...(entered.completed === undefined ? {} : { downtime: (resumed ?? entered.completed) - (stopped ?? setup ?? end) })
  }
}

/**
 * Makes the recorder of a migration that is about to begin.
 *
 * **Example** (Following a migration of one's own)
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
  let stopped: Mark | undefined
  let resumed: Mark | undefined
  let expectedDowntime: number | undefined
  let throttled = 0
  let reason: string | undefined

  const multifdBytes = () => counters.bytes - counters.recordBytes
  const mark = (time: number): Mark => ({
    time,
    bytes: mainBytes + multifdBytes(),
    pages: counters.normalPages + counters.zeroPages
  })
  const ramAt = (now: Mark, current: MigrationStatus.Status, times: ReturnType<typeof timesOf>): RamStatistics => {
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
    const now = mark(yield* Clock.currentTimeMillis)
    const current = yield* status.current
    const times = timesOf(yield* status.entered, now.time, stopped?.time, resumed?.time)
    const isOver = !MigrationStatus.isRunning(current)
    return {
      status: current,
      ram: ramAt(now, current, times),
      ...times,
      ...(expectedDowntime === undefined || isOver ? {} : { "expected-downtime": expectedDowntime }),
      ...(throttled > 0 ? { "cpu-throttle-percentage": throttled } : {}),
      ...(reason === undefined ? {} : { "error-desc": reason })
    }
  })
  const atNow = (f: (now: Mark) => void) => Effect.map(Clock.currentTimeMillis, (time) => f(mark(time)))
  const over = Stream.runDrain(Stream.takeUntil(status.changes, MigrationStatus.isFinal))
  return {
    snapshot,
    changes: (interval) =>
      Stream.fromEffectSchedule(snapshot, Schedule.spaced(interval)).pipe(
        Stream.interruptWhen(over),
        Stream.concat(Stream.fromEffect(snapshot))
      ),
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
