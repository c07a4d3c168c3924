import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as FileCalls from "../../src/io/files/FileCalls.ts"
import * as Image from "../../src/image/Image.ts"
import * as Metrics from "../../src/migration/Metrics.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Progress from "../../src/migration/Progress.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as Memory from "../support/memory.ts"

describe("a progress", () => {
  it.effect("counts the time of each phase, the present one included", () =>
    Effect.gen(function* () {
      const progress = yield* Progress.make
      yield* progress.enter("setup")
      yield* TestClock.adjust("30 millis")
      yield* progress.begin([{ idstr: "pc.ram", usedLength: 8 * 4096, pageSize: 4096 }])
      yield* progress.enter("ram")
      Object.assign(progress.counters, { normalPages: 1, zeroPages: 1, bytesHandled: 2 * 4096, bytes: 4096 })
      yield* TestClock.adjust("100 millis")
      const snapshot = yield* progress.snapshot
      assert.deepStrictEqual(snapshot, {
        phase: "ram",
        bytesTotal: 8 * 4096,
        bytesDone: 2 * 4096,
        bytesRemaining: 6 * 4096,
        round: 1,
        roundBytesTotal: 8 * 4096,
        pages: 2,
        normalPages: 1,
        zeroPages: 1,
        bytesTransferred: 4096,
        phaseMillis: { setup: 30, ram: 100, device: 0, sync: 0 },
        bytesPerSecond: 81_920,
        etaMillis: 300
      })
      yield* progress.enter("completed")
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* progress.snapshot).phaseMillis.ram, 100)
    })
  )

  it.effect("what is left, and its time, are those of the round", () =>
    Effect.gen(function* () {
      const progress = yield* Progress.makeDestination
      yield* progress.enter("setup")
      yield* progress.begin([{ idstr: "pc.ram", usedLength: 8 * 4096, pageSize: 4096 }])
      yield* progress.enter("ram")
      yield* TestClock.adjust("100 millis")
      Object.assign(progress.counters, { normalPages: 9, bytesHandled: 9 * 4096 })
      assert.deepInclude(yield* progress.snapshot, { bytesRemaining: 0, round: 1, roundBytesTotal: 8 * 4096 })
      yield* progress.round(4 * 4096)
      assert.deepInclude(yield* progress.snapshot, { bytesRemaining: 4 * 4096, round: 2, roundBytesTotal: 4 * 4096 })
      Object.assign(progress.counters, { normalPages: 10, bytesHandled: 10 * 4096 })
      const { bytesDone, bytesRemaining, etaMillis, roundBytesTotal } = yield* progress.snapshot
      assert.deepStrictEqual([bytesDone, bytesRemaining, roundBytesTotal], [10 * 4096, 3 * 4096, 4 * 4096])
      assert.strictEqual(etaMillis, 30)
      assert.strictEqual((yield* progress.statistics.snapshot).ram?.["dirty-sync-count"], 2)
    })
  )

  it.effect("has no rate before there was time", () =>
    Effect.gen(function* () {
      const { bytesPerSecond, etaMillis, phase } = yield* (yield* Progress.make).snapshot
      assert.deepStrictEqual(
        { bytesPerSecond, etaMillis, phase },
        { bytesPerSecond: 0, etaMillis: undefined, phase: "waiting" }
      )
    })
  )

  it.effect("streams snapshots until the end, which is the last one", () =>
    Effect.gen(function* () {
      const progress = yield* Progress.make
      const seen = yield* Effect.forkChild(
        Stream.runCollect(Stream.map(progress.changes("1 second"), (snapshot) => snapshot.phase)),
        { startImmediately: true }
      )
      yield* TestClock.adjust("1 second")
      yield* progress.enter("ram")
      yield* TestClock.adjust("1 second")
      yield* progress.enter("failed")
      const phases = yield* Fiber.join(seen)
      assert.deepStrictEqual(phases, ["waiting", "waiting", "ram", "failed"])
    })
  )

  it.effect("follows an operation, and the metrics add it up", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const progress = yield* Progress.make
      const before = (yield* Metric.value(Metrics.normalPages)).count
      const { block } = yield* Memory.small()
      yield* Effect.provide(Migration.make.save({ target: "/vm.img", blocks: [block], progress }), disk.layer)
      const { normalPages, phase, zeroPages } = yield* progress.snapshot
      assert.deepStrictEqual({ normalPages, phase, zeroPages }, { normalPages: 16, phase: "completed", zeroPages: 48 })
      assert.strictEqual((yield* Metric.value(Metrics.normalPages)).count - before, 16)

      const failing = yield* Progress.make
      yield* Effect.flip(
        Effect.provide(
          Migration.make.save({ target: "/no/such/dir/x", blocks: [block], progress: failing }),
          disk.layer
        )
      )
      assert.strictEqual((yield* failing.snapshot).phase, "failed")
      const failed = Metric.withAttributes(Metrics.migrations, { operation: "save", status: "failed" })
      assert.isAtLeast((yield* Metric.value(failed)).count, 1)
    })
  )
})

describe("status and statistics", () => {
  /** What happened so far, as QMP would show it. */
  const eventsOf = ({ status }: Progress.Progress) =>
    Effect.map(Stream.runCollect(Stream.interruptWhen(status.events, Effect.yieldNow)), (events) =>
      events.map((event) => (event.event === "MIGRATION" ? event.status : event.pass))
    )

  const saveTo = (target: string, progress: Progress.Progress) =>
    Effect.flatMap(Memory.small(), ({ block }) => Migration.make.save({ target, blocks: [block], progress }))

  it.effect("of a save are those of a source", () =>
    Effect.gen(function* () {
      const progress = yield* Progress.make
      yield* Effect.provide(saveTo("/vm.img", progress), MemoryDisk.make().layer)
      assert.deepStrictEqual(yield* eventsOf(progress), ["setup", 1, "active", "device", "completed"])
      const { ram, status } = yield* progress.statistics.snapshot
      assert.strictEqual(status, "completed")
      assert.deepInclude(ram, { total: 64 * 4096, remaining: 0, normal: 16, duplicate: 48, "dirty-sync-count": 1 })
    })
  )

  it.effect("of a restore are those of a destination", () =>
    Effect.gen(function* () {
      const progress = yield* Progress.makeDestination
      yield* Effect.gen(function* () {
        yield* saveTo("/vm.img", yield* Progress.make)
        const image = yield* Image.open("/vm.img")
        const { block } = yield* Memory.small()
        yield* Migration.make.restore({ source: image, blocks: [block], progress })
      }).pipe(Effect.scoped, Effect.provide(MemoryDisk.make().layer))
      assert.strictEqual(progress.status.role, "destination")
      assert.deepStrictEqual(yield* eventsOf(progress), ["setup", 1, "active", "completed"])
    })
  )

  it.effect("of nothing at all are those of nothing", () =>
    Effect.gen(function* () {
      const progress = yield* Progress.makeDestination
      yield* Effect.gen(function* () {
        yield* saveTo("/vm.img", yield* Progress.make)
        yield* Migration.make.restore({ source: yield* Image.open("/vm.img"), blocks: [], progress })
      }).pipe(Effect.scoped, Effect.provide(MemoryDisk.make().layer))
      assert.deepInclude((yield* progress.statistics.snapshot).ram, { total: 0, remaining: 0, "page-size": 4096 })
    })
  )

  it.effect("of a failure say why", () =>
    Effect.gen(function* () {
      const progress = yield* Progress.make
      const error = yield* Effect.flip(Effect.provide(saveTo("/no/such/dir/x", progress), MemoryDisk.make().layer))
      assert.deepStrictEqual(yield* eventsOf(progress), ["setup", "failed"])
      assert.strictEqual((yield* progress.statistics.snapshot)["error-desc"], error.message)
    })
  )

  it.effect("of an interruption are cancelling, while everything is being closed, and cancelled", () =>
    Effect.gen(function* () {
      const progress = yield* Progress.make
      const disk = MemoryDisk.make()
      const closing: Array<string> = []
      const close: FileCalls.Calls["close"] = (fd, done) => {
        Effect.runSync(Effect.map(progress.status.current, (status) => closing.push(status)))
        disk.calls.close(fd, done)
      }
      const saving = yield* saveTo("/vm.img", progress).pipe(
        Effect.provideService(FileCalls.FileCalls, { ...disk.calls, close }),
        Effect.forkChild({ startImmediately: true })
      )
      while ((yield* progress.status.current) !== "active") yield* Effect.yieldNow
      yield* Fiber.interrupt(saving)
      assert.deepStrictEqual(yield* eventsOf(progress), ["setup", 1, "active", "cancelling", "cancelled"])
      assert.isAbove(closing.length, 0)
      assert.deepStrictEqual([...new Set(closing)], ["cancelling"])
      assert.strictEqual((yield* progress.snapshot).phase, "cancelled")
      assert.deepStrictEqual(disk.files(), [])
    })
  )
})
