import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import { runBothEnds } from "../../../src/qemu/internal/bothEnds.ts"

class Ended extends Error {
  readonly _tag = "Ended"
}
class Wrong extends Error {
  readonly _tag = "Wrong"
}
type Failure = Ended | Wrong

const options = {
  isConsequence: ({ _tag }: Failure) => _tag === "Ended",
  explain: (here: Failure, there: Failure) => (here._tag === "Wrong" ? here : there)
}
const defect = new TypeError("x.transfer is no function")

/** Runs both, as long as it takes. */
const outcome = Effect.fnUntraced(function* (
  here: Effect.Effect<string, Failure>,
  there: Effect.Effect<string, Failure>
) {
  const running = yield* Effect.forkChild(runBothEnds(here, there, options))
  yield* TestClock.adjust("1 minute")
  return yield* Fiber.await(running)
})
const after = <E>(millis: number, end: Effect.Effect<never, E>) => Effect.andThen(Effect.sleep(millis), end)

const failureIn = (exit: Exit.Exit<unknown, Failure>) => Option.getOrUndefined(Exit.findErrorOption(exit))

const assertDefect = (exit: Exit.Exit<unknown, unknown>) => {
  assert(Exit.isFailure(exit))
  assert.isFalse(Cause.hasFails(exit.cause))
  assert.strictEqual(Cause.squash(exit.cause), defect)
}

describe("runBothEnds", () => {
  it.effect("both succeed", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* runBothEnds(Effect.succeed(1), Effect.succeed(2), options), [1, 2])
    })
  )

  describe("a defect is never told as what the other side makes of it", () => {
    it.effect("the other side hears of it first, and fails", () =>
      Effect.gen(function* () {
        assertDefect(yield* outcome(after(10, Effect.die(defect)), Effect.fail(new Ended())))
      })
    )
    it.effect("it comes first, and the other side fails at once", () =>
      Effect.gen(function* () {
        assertDefect(yield* outcome(Effect.die(defect), after(0, Effect.fail(new Wrong()))))
      })
    )
    it.effect("it comes first, and the other side goes on", () =>
      Effect.gen(function* () {
        assertDefect(yield* outcome(Effect.die(defect), Effect.never))
      })
    )
    it.effect("it is one of the side that watches QEMU", () =>
      Effect.gen(function* () {
        assertDefect(yield* outcome(Effect.fail(new Ended()), after(10, Effect.die(defect))))
        assertDefect(yield* outcome(Effect.never, Effect.die(defect)))
      })
    )
    it.effect("it comes while a failure interrupts it", () =>
      Effect.gen(function* () {
        const here = Effect.onInterrupt(Effect.never, () => Effect.die(defect)) as Effect.Effect<never>
        assertDefect(yield* outcome(here, after(1, Effect.fail(new Wrong()))))
      })
    )
  })

  it.effect("a consequence waits for what the other side has to say", () =>
    Effect.gen(function* () {
      const late = yield* outcome(Effect.fail(new Ended()), after(1900, Effect.fail(new Wrong())))
      assert.strictEqual(failureIn(late)?._tag, "Wrong")
      const tooLate = yield* outcome(Effect.fail(new Ended()), after(2100, Effect.fail(new Wrong())))
      assert.strictEqual(failureIn(tooLate)?._tag, "Ended")
    })
  )

  it.effect("what is no consequence interrupts the other side at once", () =>
    Effect.gen(function* () {
      const interrupted = yield* Deferred.make<void>()
      const there = Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
      const exit = yield* outcome(after(1, Effect.fail(new Wrong())), there)
      assert.strictEqual(failureIn(exit)?._tag, "Wrong")
      yield* Deferred.await(interrupted)
    })
  )
})
