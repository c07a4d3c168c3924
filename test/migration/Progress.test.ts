import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { Metrics, Migration, Progress } from "../../src/index.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as Memory from "./support/memory.ts"

describe("a progress", () => {
  it.effect("counts the time of each phase, the present one included", () =>
    Effect.gen(function* () {
      const progress = yield* Progress.make
      yield* progress.enter("setup")
      yield* TestClock.adjust("30 millis")
      yield* progress.enter("ram", 8 * 4096)
      Object.assign(progress.counters, { normalPages: 1, zeroPages: 1, bytesHandled: 2 * 4096, bytes: 4096 })
      yield* TestClock.adjust("100 millis")
      const snapshot = yield* progress.snapshot
      assert.deepStrictEqual(snapshot, {
        phase: "ram",
        bytesTotal: 8 * 4096,
        bytesDone: 2 * 4096,
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
      yield* progress.enter("ram", 4096)
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
