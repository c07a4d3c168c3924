import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import * as TestClock from "effect/testing/TestClock"
import * as Watchdog from "../../src/multifd/Watchdog.ts"

const make = (idleTimeout = Duration.seconds(60)) =>
  Watchdog.make({ peer: "tcp:127.0.0.1:1", expected: "a page", idleTimeout })

const started = <E, R>(effect: Effect.Effect<void, E, R>) =>
  Effect.forkChild(Effect.flip(effect), { startImmediately: true })

describe("Watchdog", () => {
  it.effect("fails when nothing happened for the whole time", () =>
    Effect.gen(function* () {
      const { during } = yield* make()
      const fiber = yield* started(during(Effect.never))
      yield* TestClock.adjust(59_999)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag, "PeerTimeoutError")
      assert.strictEqual(error[Runtime.errorExitCode], 9)
      assert.strictEqual(error.message, "tcp:127.0.0.1:1: timed out after 60 s waiting for a page")
    })
  )

  it.effect("begins anew with everything that the peer gets done", () =>
    Effect.gen(function* () {
      const { alive, during } = yield* make()
      const fiber = yield* started(during(Effect.never))
      for (let i = 0; i < 10; i++) {
        yield* TestClock.adjust(50_000)
        alive()
      }
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(60_000)
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "PeerTimeoutError")
    })
  )

  it.effect("stands still while something of our own is under way, and goes on behind it", () =>
    Effect.gen(function* () {
      const { alive, during, working } = yield* make()
      const slowDisk = (then: () => void) => working(Effect.andThen(Effect.sleep("1 hour"), Effect.sync(then)))
      const ours = Effect.gen(function* () {
        yield* Effect.sleep("20 seconds")
        yield* Effect.all([slowDisk(() => {}), slowDisk(() => {})], { concurrency: 2 })
        yield* Effect.sleep("39 seconds")
        yield* slowDisk(alive)
        yield* Effect.never
      })
      const fiber = yield* started(during(ours))
      yield* TestClock.adjust("2 hours")
      yield* TestClock.adjust(59_000 + 59_999)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "PeerTimeoutError")
    })
  )

  it.effect("wants the least rate while the peer is waited for, not while we are busy", () =>
    Effect.gen(function* () {
      let bytes = 0
      const least = { bytesPerSecond: 100, bytes: () => bytes }
      const idleTimeout = Duration.seconds(60)
      const { alive, during, working } = yield* Watchdog.make({ peer: "p", expected: "a page", idleTimeout, least })
      const ours = Effect.gen(function* () {
        for (let minute = 0; minute < 10; minute++) {
          yield* Effect.sleep("30 seconds")
          bytes += 3000
          alive()
          yield* working(Effect.sleep("30 seconds"))
          alive()
        }
        yield* working(Effect.sleep("1 hour"))
        for (;;) {
          yield* Effect.sleep("30 seconds")
          bytes += 2999
          alive()
        }
      })
      const fiber = yield* started(during(ours))
      // Ten times the idle timeout of waiting: 300 s in the first ten minutes, none in the hour, and 300 s behind it.
      yield* TestClock.adjust(600_000 + 3_600_000 + 299_999)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error.message, "p: timed out after 600 s waiting for 60000 bytes (100 a second)")
    })
  )

  it.effect("does not hold up what ends, and passes on what fails", () =>
    Effect.gen(function* () {
      const { during } = yield* make()
      yield* during(Effect.void)
      assert.strictEqual(yield* Effect.flip(during(Effect.fail("mine"))), "mine")
    })
  )

  it.effect("interrupts what it watches", () =>
    Effect.gen(function* () {
      const { during } = yield* make()
      let interrupted = false
      const fiber = yield* started(
        during(Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (interrupted = true))))
      )
      yield* TestClock.adjust(60_000)
      yield* Fiber.join(fiber)
      assert.isTrue(interrupted)
    })
  )

  it.effect("waits for ever where it is told to", () =>
    Effect.gen(function* () {
      const { during } = yield* make(Duration.infinity)
      const fiber = yield* started(during(Effect.andThen(Effect.sleep("100 days"), Effect.fail("mine"))))
      yield* TestClock.adjust("100 days")
      assert.strictEqual(yield* Fiber.join(fiber), "mine")
    })
  )
})
