import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as RateLimit from "../../../src/transfer/RateLimit.ts"
import { releasable } from "../../../src/qemu/internal/releasable.ts"

describe("releasable", () => {
  it.effect("is the limit until it is lifted; whoever waits goes on then, and others still keep to it", () =>
    Effect.gen(function* () {
      const shared = yield* RateLimit.make(1000)
      const { lift, limit } = releasable(shared)
      const waiting = yield* Effect.forkChild(limit.take(100), { startImmediately: true })
      yield* TestClock.adjust(99)
      assert.isUndefined(waiting.pollUnsafe())
      assert.deepStrictEqual([limit.bytesPerSecond(), limit.piece()], [1000, 25])
      yield* lift
      yield* Fiber.join(waiting)
      yield* limit.take(1e9)
      assert.deepStrictEqual([limit.bytesPerSecond(), limit.piece()], [0, Infinity])
      assert.strictEqual(shared.bytesPerSecond(), 1000)
      const other = yield* Effect.forkChild(shared.take(100), { startImmediately: true })
      assert.isUndefined(other.pollUnsafe())
      yield* TestClock.adjust(1)
      yield* Fiber.join(other)
    })
  )
})
