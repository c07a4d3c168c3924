import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as MigrationStatus from "../../src/migration/MigrationStatus.ts"
import * as Statistics from "../../src/migration/Statistics.ts"
import * as StatisticsMetrics from "../../src/migration/StatisticsMetrics.ts"
import * as TransferCounters from "../../src/transfer/TransferCounters.ts"

const PAGE = 4096
const PAGES = 1000

const start = Effect.fnUntraced(function* (options: { readonly live?: boolean } = {}) {
  const status = yield* MigrationStatus.make("source")
  const counters = TransferCounters.make()
  const recorder = Statistics.make({ status, counters, ram: { bytesTotal: PAGES * PAGE, pageSize: PAGE, ...options } })
  const move = (normal: number, zero: number) => {
    counters.normalPages += normal
    counters.zeroPages += zero
    counters.bytes += normal * PAGE
  }
  const record = (bytes: number) => {
    counters.bytes += bytes
    counters.recordBytes += bytes
    recorder.addMainBytes(bytes)
  }
  return { status, recorder, move, record }
})

const ramOf = ({ ram }: Statistics.Statistics): Statistics.RamStatistics => {
  assert(ram !== undefined)
  return ram
}

/** What QEMU 10.0.2 said of a stopped guest of 64 MiB. */
const real = {
  "expected-downtime": 300,
  status: "device",
  "setup-time": 1,
  "total-time": 806,
  ram: {
    total: 67641344,
    "postcopy-requests": 0,
    "dirty-sync-count": 2,
    "multifd-bytes": 0,
    "pages-per-second": 0,
    "downtime-bytes": 361658,
    "page-size": 4096,
    remaining: 0,
    "postcopy-bytes": 0,
    mbps: 0,
    transferred: 438237,
    "dirty-sync-missed-zero-copy": 0,
    "precopy-bytes": 0,
    duplicate: 16462,
    "dirty-pages-rate": 0,
    "normal-bytes": 212992,
    normal: 52
  }
}

describe("Statistics", () => {
  it.effect("have the fields of query-migrate", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual<unknown>(yield* Schema.decodeUnknownEffect(Statistics.Statistics)(real), real)
      assert.deepStrictEqual(yield* Schema.decodeUnknownEffect(Statistics.Statistics)({}), {})
      const { recorder } = yield* start()
      assert.deepStrictEqual(Object.keys(ramOf(yield* recorder.snapshot)).toSorted(), Object.keys(real.ram).toSorted())
    })
  )

  it.effect("of older and newer versions are read, without what they say beside", () =>
    Effect.gen(function* () {
      const decode = Schema.decodeUnknownEffect(Statistics.Statistics)
      const busy = { pages: 0, busy: 0, "busy-rate": 0, "compressed-size": 0, "compression-rate": 0 }
      const old = { ...real, ram: { ...real.ram, skipped: 0 }, compression: busy, disk: { transferred: 0 } }
      assert.deepStrictEqual<unknown>(yield* decode(old), real)
      const recent = { ...real, remaining: 0, vfio: { transferred: 0 }, "socket-address": [] }
      assert.deepStrictEqual<unknown>(yield* decode(recent), real)
    })
  )

  it.effect("times begin and end with statuses", () =>
    Effect.gen(function* () {
      const { recorder, status } = yield* start({ live: true })
      const before = yield* recorder.snapshot
      assert.notProperty(before, "total-time")
      yield* status.enter("setup")
      yield* TestClock.adjust(20)
      assert.deepInclude(yield* recorder.snapshot, { "total-time": 20, "setup-time": 20, status: "setup" })
      yield* status.enter("active")
      recorder.expectDowntime(450)
      yield* TestClock.adjust(500)
      const active = yield* recorder.snapshot
      assert.deepInclude(active, { "total-time": 520, "setup-time": 20, "expected-downtime": 450 })
      assert.notProperty(active, "downtime")
      yield* recorder.guestStopped
      yield* TestClock.adjust(30)
      yield* recorder.guestStopped
      yield* status.enter("device")
      yield* TestClock.adjust(50)
      assert.strictEqual((yield* recorder.snapshot)["expected-downtime"], 450)
      yield* status.enter("completed")
      yield* TestClock.adjust(10_000)
      const completed = yield* recorder.snapshot
      assert.notProperty(completed, "expected-downtime")
      assert.deepInclude(completed, { "total-time": 600, "setup-time": 20, downtime: 80, status: "completed" })
    })
  )

  it.effect("a guest that was stopped all the time: downtime is all of the time", () =>
    Effect.gen(function* () {
      const { move, recorder, status } = yield* start()
      yield* status.enter("setup")
      yield* TestClock.adjust(10)
      yield* status.enter("active")
      move(10, 0)
      assert.deepInclude(ramOf(yield* recorder.snapshot), { "precopy-bytes": 0, "downtime-bytes": 10 * PAGE })
      yield* TestClock.adjust(90)
      yield* status.enter("device")
      yield* status.enter("completed")
      assert.strictEqual((yield* recorder.snapshot).downtime, 100)
    })
  )

  it.effect("what is left follows the channels, and the looks at what is dirty", () =>
    Effect.gen(function* () {
      const { move, recorder, status } = yield* start({ live: true })
      yield* status.enter("setup")
      assert.strictEqual(ramOf(yield* recorder.snapshot).remaining, PAGES * PAGE)
      yield* recorder.dirtySync(PAGES)
      yield* status.enter("active")
      yield* TestClock.adjust("2 seconds")
      move(300, 100)
      assert.deepInclude(ramOf(yield* recorder.snapshot), { remaining: 600 * PAGE, "dirty-sync-count": 1 })
      move(400, 200)
      yield* recorder.dirtySync(50)
      const second = ramOf(yield* recorder.snapshot)
      assert.deepInclude(second, { remaining: 50 * PAGE, "dirty-sync-count": 2, "dirty-pages-rate": 25 })
      move(60, 0)
      assert.strictEqual(ramOf(yield* recorder.snapshot).remaining, 0)
      yield* recorder.dirtySync(10)
      yield* status.enter("device")
      yield* status.enter("completed")
      assert.strictEqual(ramOf(yield* recorder.snapshot).remaining, 0)
    })
  )

  it.effect("pages that were left from a round are not dirtied anew", () =>
    Effect.gen(function* () {
      const { move, recorder } = yield* start()
      yield* recorder.dirtySync(PAGES)
      yield* TestClock.adjust("1 second")
      move(400, 0)
      yield* recorder.dirtySync(700)
      assert.strictEqual(ramOf(yield* recorder.snapshot)["dirty-pages-rate"], 100)
    })
  )

  it.effect("counts bytes of the main channel and of the others, before and after the guest was stopped", () =>
    Effect.gen(function* () {
      const { move, record, recorder } = yield* start({ live: true })
      recorder.addMainBytes(900)
      record(100)
      move(2, 5)
      assert.deepInclude(ramOf(yield* recorder.snapshot), {
        transferred: 1000 + 2 * PAGE,
        "multifd-bytes": 2 * PAGE,
        normal: 2,
        "normal-bytes": 2 * PAGE,
        duplicate: 5,
        "precopy-bytes": 1000 + 2 * PAGE,
        "downtime-bytes": 0
      })
      yield* recorder.guestStopped
      recorder.addMainBytes(7)
      assert.deepInclude(ramOf(yield* recorder.snapshot), { "precopy-bytes": 1000 + 2 * PAGE, "downtime-bytes": 7 })
    })
  )

  it.effect("a guest that is let go on early ends the downtime, not the migration", () =>
    Effect.gen(function* () {
      const { move, recorder, status } = yield* start({ live: true })
      yield* status.enter("setup")
      yield* status.enter("active")
      move(5, 0)
      yield* TestClock.adjust(100)
      yield* recorder.guestStopped
      yield* status.enter("device")
      move(2, 0)
      yield* TestClock.adjust(30)
      yield* recorder.guestResumed
      recorder.addMainBytes(7)
      yield* TestClock.adjust(500)
      yield* status.enter("completed")
      const completed = yield* recorder.snapshot
      assert.deepInclude(completed, { "total-time": 630, downtime: 30 })
      assert.deepInclude(ramOf(completed), { "precopy-bytes": 5 * PAGE + 7, "downtime-bytes": 2 * PAGE })
    })
  )

  it.effect("what is migrated may become known later", () =>
    Effect.gen(function* () {
      const status = yield* MigrationStatus.make("source")
      const recorder = Statistics.make({ status, counters: TransferCounters.make() })
      assert.deepInclude(ramOf(yield* recorder.snapshot), { total: 0, remaining: 0, "page-size": 4096 })
      recorder.covers({ bytesTotal: 10 * 16384, pageSize: 16384 })
      assert.deepInclude(ramOf(yield* recorder.snapshot), {
        total: 10 * 16384,
        remaining: 10 * 16384,
        "page-size": 16384
      })
    })
  )

  it.effect("rates are those of the last 100 ms or more, and of all the time in the end", () =>
    Effect.gen(function* () {
      const { move, recorder, status } = yield* start()
      yield* status.enter("setup")
      yield* status.enter("active")
      assert.deepInclude(ramOf(yield* recorder.snapshot), { mbps: 0, "pages-per-second": 0 })
      move(100, 100)
      yield* TestClock.adjust(99)
      assert.strictEqual(ramOf(yield* recorder.snapshot).mbps, 0)
      yield* TestClock.adjust(1)
      const first = ramOf(yield* recorder.snapshot)
      assert.deepInclude(first, { mbps: (100 * PAGE * 8) / 100 / 1000, "pages-per-second": 2000 })
      yield* TestClock.adjust(100)
      assert.deepInclude(ramOf(yield* recorder.snapshot), { mbps: 0, "pages-per-second": 0 })
      yield* status.enter("completed")
      assert.strictEqual(ramOf(yield* recorder.snapshot).mbps, (100 * PAGE * 8) / 200 / 1000)
    })
  )

  it.effect("says why it failed, the first reason, and how much the guest is slowed down", () =>
    Effect.gen(function* () {
      const { recorder, status } = yield* start()
      yield* status.enter("setup")
      recorder.throttle(30)
      assert.deepInclude(yield* recorder.snapshot, { "cpu-throttle-percentage": 30 })
      recorder.throttle(0)
      recorder.failed("no space left")
      recorder.failed("channel 2 closed")
      yield* status.enter("failed")
      const failed = yield* recorder.snapshot
      assert.deepInclude(failed, { status: "failed", "error-desc": "no space left" })
      assert.notProperty(failed, "cpu-throttle-percentage")
    })
  )

  it.effect("the stream ends with the end", () =>
    Effect.gen(function* () {
      const { move, recorder, status } = yield* start()
      yield* status.enter("setup")
      const seen = yield* Effect.forkChild(Stream.runCollect(recorder.changes("1 second")), { startImmediately: true })
      yield* TestClock.adjust(0)
      yield* status.enter("active")
      yield* TestClock.adjust(1500)
      move(0, 3)
      yield* status.enter("cancelling")
      yield* status.enter("cancelled")
      const all = yield* Fiber.join(seen)
      assert.deepStrictEqual(
        all.map(({ status }) => status),
        ["setup", "active", "cancelled"]
      )
      assert.strictEqual(ramOf(all.at(-1)!).duplicate, 3)
    })
  )

  it.effect("are metrics with Prometheus' names", () =>
    Effect.gen(function* () {
      const { move, recorder, status } = yield* start()
      yield* status.enter("setup")
      move(3, 4)
      const following = yield* Effect.forkChild(StatisticsMetrics.follow(recorder, "1 second"))
      yield* TestClock.adjust(2500)
      yield* status.enter("failed")
      yield* Fiber.join(following)
      const text = yield* PrometheusMetrics.format()
      assert.include(text, "multifd_migration_ram_normal_pages 3\n")
      assert.include(text, "multifd_migration_ram_duplicate_pages 4\n")
      assert.include(text, "multifd_migration_total_seconds 2.5\n")
      for (const name of StatisticsMetrics.names) assert.match(name, /^multifd_migration_[a-z_]+$/)
      assert.strictEqual(new Set(StatisticsMetrics.names).size, StatisticsMetrics.names.length)
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
  )
})
