import { assert, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { allOrFirstError, laterFailures, reportingFailure, withFirstError } from "../../src/transfer/FirstError.ts"
import { whileMillisPass } from "../support/time.ts"

const failAfter = (millis: number, error: string) =>
  reportingFailure(Effect.andThen(Effect.sleep(millis), Effect.fail(error)))

const fallOf = (effects: ReadonlyArray<Effect.Effect<void, string>>) =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(whileMillisPass(allOrFirstError(effects)))
    assert(Exit.isFailure(exit))
    return { raised: exit.cause.reasons.length, first: Cause.squash(exit.cause), later: laterFailures(exit.cause) }
  })

it.effect("ends when all have ended", () =>
  Effect.gen(function* () {
    let ended = 0
    const end = Effect.sync(() => void ended++)
    yield* whileMillisPass(
      allOrFirstError([Effect.andThen(Effect.sleep(3), end), end, Effect.andThen(Effect.sleep(1), end)])
    )
    assert.strictEqual(ended, 3)
  })
)

it.effect("a fall inside another one keeps what was attached to it", () =>
  Effect.gen(function* () {
    const inner = allOrFirstError([failAfter(1, "first"), failAfter(2, "second")])
    const { first, later, raised } = yield* fallOf([inner, failAfter(9, "third")])
    assert.strictEqual(raised, 1)
    assert.strictEqual(first, "first")
    assert.deepStrictEqual(later.map(Cause.squash), ["second", "third"])
  })
)

it.effect("of failures that one effect raises together, the first is raised and the others are attached", () =>
  Effect.gen(function* () {
    const together = Effect.all([failAfter(1, "first"), failAfter(2, "second")], { concurrency: 2, discard: true })
    const { first, later, raised } = yield* fallOf([together, failAfter(9, "third")])
    assert.strictEqual(raised, 1)
    assert.strictEqual(first, "first")
    assert.deepStrictEqual(later.map(Cause.squash), ["second", "third"])
    const alone = yield* Effect.flip(Effect.sandbox(whileMillisPass(withFirstError(together))))
    assert.deepStrictEqual([Cause.squash(alone), ...laterFailures(alone).map(Cause.squash)], ["first", "second"])
    assert.lengthOf(alone.reasons, 1)
  })
)

it.effect("an interruption from outside stays one, whatever fails on the way", () =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(allOrFirstError([failAfter(5, "too late"), Effect.never]))
    yield* whileMillisPass(Effect.andThen(Effect.sleep(1), Fiber.interrupt(fiber)))
    const exit = yield* Fiber.await(fiber)
    assert(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
  })
)

it.effect("nothing but a typed error is raised where a defect follows", () =>
  Effect.gen(function* () {
    const defect = reportingFailure(Effect.andThen(Effect.sleep(2), Effect.die("a defect")))
    const { first, later, raised } = yield* fallOf([failAfter(1, "first"), defect])
    assert.strictEqual(raised, 1)
    assert.strictEqual(first, "first")
    assert.deepStrictEqual(later.map(Cause.squash), ["a defect"])
  })
)
