import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as Waits from "../../../src/qemu/internal/waits.ts"

const minute = Duration.minutes(1)

describe("how long QEMU may keep us waiting", () => {
  it("the limits of our side", () => {
    assert.deepStrictEqual(Waits.limitsOf(undefined), {})
    const five = Duration.seconds(5)
    assert.deepStrictEqual(Waits.limitsOf("5 seconds"), { handshakeTimeout: five, idleTimeout: five })
    assert.deepStrictEqual(Waits.limitsOf(Duration.infinity), { idleTimeout: Duration.infinity })
  })

  /** What comes of two sides, of which ours is done after a minute and QEMU's after `there` minutes. */
  const endOf = (there: number, timeout: Duration.Input | undefined) =>
    Effect.gen(function* () {
      const sides = Waits.endTogether(Effect.sleep(minute), Effect.sleep(Duration.minutes(there)), {
        peer: "unix:/run/qmp",
        timeout,
        expected: "the end"
      })
      const fiber = yield* Effect.forkChild(Effect.all(sides, { concurrency: 2 }).pipe(Effect.as("ended"), Effect.flip))
      yield* TestClock.adjust("1 day")
      return yield* Fiber.join(fiber)
    }).pipe(
      Effect.map((error) => `${error._tag} after ${error.milliseconds}`),
      Effect.catch((ended) => Effect.succeed(ended))
    )

  it.effect("counts from the end of our side on", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* endOf(10, "5 minutes"), "PeerTimeoutError after 300000")
      assert.strictEqual(yield* endOf(5, "5 minutes"), "ended")
      assert.strictEqual(yield* endOf(3, undefined), "PeerTimeoutError after 60000")
      assert.strictEqual(yield* endOf(600, Duration.infinity), "ended")
    })
  )
})
