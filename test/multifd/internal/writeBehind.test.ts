import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { makeWriteBehind, type WriteBehind } from "../../../src/multifd/internal/writeBehind.ts"
import * as PageBatch from "../../../src/ram/PageBatch.ts"
import type * as RamBlock from "../../../src/ram/RamBlock.ts"

const PAGE = 4096

/** Pages that are full of the number of their batch, and take their time to be read. */
const batchOf = (number: number, millis = 0): PageBatch.PageBatch => {
  const block: RamBlock.Readable = {
    idstr: "m",
    usedLength: 100 * PAGE,
    pageSize: PAGE,
    reader: {
      present: undefined,
      view: undefined,
      readInto: (_, target) =>
        Effect.delay(
          Effect.sync(() => void target.fill(number)),
          millis
        )
    }
  }
  return { block, offset: number * PAGE, length: PAGE, pages: [0, 1] }
}

/** The same in memory. */
const mapped = (number: number): PageBatch.PageBatch => {
  const { block, ...batch } = batchOf(number)
  return { ...batch, block: { ...block, reader: { ...block.reader, view: (_, length) => new Uint8Array(length) } } }
}

const move = <E>(
  behind: WriteBehind<E>,
  batch: PageBatch.PageBatch,
  write: (data: Uint8Array) => Effect.Effect<void, E>
) =>
  Effect.flatMap(behind.load(batch, PageBatch.load), (loaded) =>
    behind.write(
      loaded,
      Effect.suspend(() => write(loaded.data))
    )
  )

describe("writeBehind", () => {
  it.effect("a batch is read while the one before is written", () =>
    Effect.gen(function* () {
      const behind = yield* makeWriteBehind<never>()
      const written: Array<number> = []
      const write = (data: Uint8Array) =>
        Effect.delay(
          Effect.sync(() => void (data.every((byte) => byte === data[0]) && written.push(data[0]!))),
          "10 millis"
        )
      const moving = yield* Effect.forkChild(
        Effect.gen(function* () {
          for (let number = 1; number <= 10; number++) yield* move(behind, batchOf(number, 10), write)
          yield* behind.settled
          return yield* Clock.currentTimeMillis
        })
      )
      yield* Effect.raceFirst(Fiber.await(moving), Effect.forever(TestClock.adjust("1 millis")))
      assert.deepStrictEqual(written, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
      assert.strictEqual(yield* Fiber.join(moving), 110)
    })
  )

  it.effect("what lies in memory is written before the call ends, and behind everything before it", () =>
    Effect.gen(function* () {
      const behind = yield* makeWriteBehind<never>()
      const first = yield* Deferred.make<void>()
      const order: Array<string> = []
      const say = (what: string) => Effect.sync(() => void order.push(what))
      yield* move(behind, batchOf(1), () => Effect.andThen(Deferred.await(first), say("read")))
      const second = yield* Effect.forkChild(
        Effect.andThen(
          move(behind, mapped(2), () => say("mapped")),
          say("returned")
        ),
        { startImmediately: true }
      )
      assert.deepStrictEqual(order, [])
      yield* Deferred.succeed(first, undefined)
      yield* Fiber.join(second)
      assert.deepStrictEqual(order, ["read", "mapped", "returned"])
    })
  )

  it.effect("a write that fails fails the next call, whichever it is", () =>
    Effect.gen(function* () {
      const calls = [
        (behind: WriteBehind<"broken">) => move(behind, batchOf(2), () => Effect.void),
        (behind: WriteBehind<"broken">) => move(behind, mapped(2), () => Effect.void),
        (behind: WriteBehind<"broken">) => behind.settled
      ]
      for (const call of calls) {
        const behind = yield* makeWriteBehind<"broken">()
        yield* move(behind, batchOf(1), () => Effect.fail("broken" as const))
        assert.strictEqual(yield* Effect.flip(call(behind)), "broken")
      }
    })
  )

  it.effect("leaving the scope interrupts the write under way", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const behind = yield* Scope.provide(makeWriteBehind<never>(), scope)
      let interrupted = false
      const never = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (interrupted = true)))
      yield* move(behind, batchOf(1), () => never)
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(interrupted)
    })
  )
})
