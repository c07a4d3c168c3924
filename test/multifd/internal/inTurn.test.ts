import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { makeInTurn } from "../../../src/multifd/internal/inTurn.ts"

describe("inTurn", () => {
  it.effect("goes on while a piece is under way, and begins the next one behind it", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const first = yield* Deferred.make<void>()
      const { begin, settled } = yield* makeInTurn<never>()
      const done = (name: string) => Effect.sync(() => void log.push(name))
      yield* begin(Effect.andThen(Deferred.await(first), done("first")))
      log.push("went on")
      const second = yield* Effect.forkChild(begin(done("second")), { startImmediately: true })
      assert.deepStrictEqual(log, ["went on"])
      yield* Deferred.succeed(first, undefined)
      yield* Fiber.join(second)
      yield* settled
      assert.deepStrictEqual(log, ["went on", "first", "second"])
    }).pipe(Effect.scoped)
  )

  it.effect("fails as the piece before, and begins nothing more", () =>
    Effect.gen(function* () {
      const { begin, settled } = yield* makeInTurn<string>()
      yield* begin(Effect.fail("broken"))
      assert.strictEqual(yield* Effect.flip(begin(Effect.die("begun"))), "broken")
      assert.strictEqual(yield* Effect.flip(settled), "broken")
    }).pipe(Effect.scoped)
  )
})
