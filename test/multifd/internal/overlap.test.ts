import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { withHelper } from "../../../src/multifd/internal/overlap.ts"

describe("withHelper", () => {
  it.effect("one piece of work is under way while the next is prepared, in order", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const first = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(
        withHelper<never, never>(({ drained, submit }) =>
          Effect.gen(function* () {
            yield* submit(
              Effect.andThen(
                Deferred.await(first),
                Effect.sync(() => log.push("first"))
              )
            )
            log.push("prepared")
            yield* submit(Effect.sync(() => log.push("second")))
            log.push("submitted")
            yield* drained
            log.push("drained")
          })
        ),
        { startImmediately: true }
      )
      yield* Effect.yieldNow
      assert.deepStrictEqual(log, ["prepared"])
      yield* Deferred.succeed(first, undefined)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(
        log.filter((line) => line !== "submitted"),
        ["prepared", "first", "second", "drained"]
      )
    })
  )

  it.effect("ends when the last piece of work has ended", () =>
    Effect.gen(function* () {
      let done = false
      yield* withHelper<never, never>(({ submit }) =>
        submit(
          Effect.andThen(
            Effect.yieldNow,
            Effect.sync(() => void (done = true))
          )
        )
      )
      assert.isTrue(done)
    })
  )

  it.effect("a piece of work that fails ends its owner, whatever that waits for", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        withHelper<string, never>(({ submit }) => Effect.andThen(submit(Effect.fail("disk full")), Effect.never))
      )
      assert.strictEqual(error, "disk full")
    })
  )

  it.effect("an owner that fails ends the work under way", () =>
    Effect.gen(function* () {
      let interrupted = false
      const work = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (interrupted = true)))
      const error = yield* Effect.flip(
        withHelper<string, never>(({ submit }) =>
          submit(work).pipe(Effect.andThen(Effect.yieldNow), Effect.andThen(Effect.fail("peer lost")))
        )
      )
      assert.strictEqual(error, "peer lost")
      assert.isTrue(interrupted)
    })
  )
})
