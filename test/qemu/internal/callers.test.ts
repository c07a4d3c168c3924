import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Callers from "../../../src/qemu/internal/callers.ts"

describe("callers", () => {
  it("an id is known that was given, whether or not somebody waits", () => {
    const callers = Callers.make<string>()
    assert.isFalse(callers.isKnown(1))
    const [first, second] = [callers.add("a"), callers.add("b")]
    assert.deepStrictEqual([first.id, second.id], [1, 2])
    callers.remove(first)
    assert.deepStrictEqual([callers.isWaiting(first), callers.isWaiting(second)], [false, true])
    assert.deepStrictEqual(
      [1, 2, 0, -1, 1.5, 3, Number.NaN].map((id) => callers.isKnown(id)),
      [true, true, false, false, false, false, false]
    )
  })

  it.effect("each gets its own answer, once", () =>
    Effect.gen(function* () {
      const callers = Callers.make<string>()
      const [first, second, third] = [callers.add("a"), callers.add("b"), callers.add("c")]
      callers.answer(2, ({ command }) => Effect.succeed(`${command}!`))
      callers.answer(2, () => Effect.succeed("again"))
      callers.answer(7, () => Effect.succeed("nobody's"))
      assert.isFalse(callers.isWaiting(second))
      assert.strictEqual(yield* Deferred.await(second.answer), "b!")
      callers.end((command) => `no answer to ${command}`)
      assert.strictEqual(yield* Effect.flip(Deferred.await(first.answer)), "no answer to a")
      assert.strictEqual(yield* Effect.flip(Deferred.await(third.answer)), "no answer to c")
    })
  )
})
