import { assert, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as SyncBarrier from "../../src/transfer/SyncBarrier.ts"
import { between } from "../support/arbitraries.ts"
import { whileMillisPass } from "../support/time.ts"

it.effect("nobody goes on before the last party has arrived", () =>
  Effect.gen(function* () {
    const barrier = yield* SyncBarrier.make(3)
    const first = yield* Effect.forkChild(barrier.arrive, { startImmediately: true })
    const second = yield* Effect.forkChild(barrier.arrive, { startImmediately: true })
    yield* Effect.yieldNow
    assert.isUndefined(first.pollUnsafe())
    assert.isUndefined(second.pollUnsafe())
    assert.strictEqual(yield* barrier.arrive, 0)
    assert.deepStrictEqual(yield* Fiber.joinAll([first, second]), [0, 0])
  })
)

it.effect.prop(
  "nobody is ever more than a round ahead, and all are told the same round",
  {
    delays: Arbitrary.array(Arbitrary.array(between(0, 9), { minLength: 5, maxLength: 5 }), {
      minLength: 1,
      maxLength: 8
    })
  },
  ({ delays }) =>
    Effect.gen(function* () {
      const barrier = yield* SyncBarrier.make(delays.length)
      const arrived = delays.map(() => 0)
      const party = (own: ReadonlyArray<number>, id: number) =>
        Effect.forEach(own, (millis, round) =>
          Effect.gen(function* () {
            yield* Effect.sleep(millis)
            arrived[id]! += 1
            assert.strictEqual(yield* barrier.arrive, round)
            assert.isAtLeast(Math.min(...arrived), round + 1)
          })
        )
      yield* whileMillisPass(Effect.forEach(delays, party, { concurrency: "unbounded" }))
    })
)
