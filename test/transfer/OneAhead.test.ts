import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as OneAhead from "../../src/transfer/OneAhead.ts"

describe("OneAhead.during", () => {
  it.effect("one piece of work is under way while the next is prepared, in order", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const first = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(
        OneAhead.during<never, never>(({ drained, submit }) =>
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
      yield* OneAhead.during<never, never>(({ submit }) =>
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
        OneAhead.during<string, never>(({ submit }) => Effect.andThen(submit(Effect.fail("disk full")), Effect.never))
      )
      assert.strictEqual(error, "disk full")
    })
  )

  it.effect("an owner that fails ends the work under way", () =>
    Effect.gen(function* () {
      let interrupted = false
      const work = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (interrupted = true)))
      const error = yield* Effect.flip(
        OneAhead.during<string, never>(({ submit }) =>
          submit(work).pipe(Effect.andThen(Effect.yieldNow), Effect.andThen(Effect.fail("peer lost")))
        )
      )
      assert.strictEqual(error, "peer lost")
      assert.isTrue(interrupted)
    })
  )
})

describe("OneAhead.make", () => {
  it.effect("goes on while a piece is under way, and begins the next one behind it", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const first = yield* Deferred.make<void>()
      const { drained, submit } = yield* OneAhead.make<never>()
      const done = (name: string) => Effect.sync(() => void log.push(name))
      yield* submit(Effect.andThen(Deferred.await(first), done("first")))
      log.push("went on")
      const second = yield* Effect.forkChild(submit(done("second")), { startImmediately: true })
      assert.deepStrictEqual(log, ["went on"])
      yield* Deferred.succeed(first, undefined)
      yield* Fiber.join(second)
      yield* drained
      assert.deepStrictEqual(log, ["went on", "first", "second"])
    }).pipe(Effect.scoped)
  )

  it.effect("fails as the piece before, and begins nothing more", () =>
    Effect.gen(function* () {
      const { drained, submit } = yield* OneAhead.make<string>()
      yield* submit(Effect.fail("broken"))
      assert.strictEqual(yield* Effect.flip(submit(Effect.die("begun"))), "broken")
      assert.strictEqual(yield* Effect.flip(drained), "broken")
    }).pipe(Effect.scoped)
  )

  it.effect("leaving the scope interrupts the piece in progress", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { submit } = yield* Scope.provide(OneAhead.make<never>(), scope)
      const started = yield* Deferred.make<void>()
      let interrupted = false
      const work = Effect.andThen(Deferred.succeed(started, undefined), Effect.never)
      yield* submit(Effect.onInterrupt(work, () => Effect.sync(() => void (interrupted = true))))
      yield* Deferred.await(started)
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(interrupted)
    })
  )
})
