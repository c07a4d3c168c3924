import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { transferBatches } from "../../../src/multifd/internal/transferBatches.ts"
import * as PageBatch from "../../../src/ram/PageBatch.ts"
import type * as RamBlock from "../../../src/ram/RamBlock.ts"
import * as OneAhead from "../../../src/transfer/OneAhead.ts"

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

type Moving<E> = OneAhead.OneAhead<E> & {
  /** Transfers a batch, which is sent by `write`. */
  readonly move: (
    batch: PageBatch.PageBatch,
    write: (data: Uint8Array) => Effect.Effect<void, E>
  ) => Effect.Effect<void, E>
}

const makeMoving = <E>(): Effect.Effect<Moving<E>, never, Scope.Scope> =>
  Effect.map(OneAhead.make<E>(), (ahead) => {
    const writes = new Map<number, (data: Uint8Array) => Effect.Effect<void, E>>()
    const transfer = transferBatches<E>({
      ahead,
      load: PageBatch.load,
      working: (self) => self,
      send: ({ data, offset }) => Effect.suspend(() => writes.get(offset)!(data))
    })
    return {
      ...ahead,
      move: (batch, write) => {
        writes.set(batch.offset, write)
        return transfer(batch)
      }
    }
  })

describe("transferBatches", () => {
  it.effect("a batch is read while the one before is written", () =>
    Effect.gen(function* () {
      const moving = yield* makeMoving<never>()
      const written: Array<number> = []
      const write = (data: Uint8Array) =>
        Effect.delay(
          Effect.sync(() => void (data.every((byte) => byte === data[0]) && written.push(data[0]!))),
          "10 millis"
        )
      const done = yield* Effect.forkChild(
        Effect.gen(function* () {
          for (let number = 1; number <= 10; number++) yield* moving.move(batchOf(number, 10), write)
          yield* moving.drained
          return yield* Clock.currentTimeMillis
        })
      )
      yield* Effect.raceFirst(Fiber.await(done), Effect.forever(TestClock.adjust("1 millis")))
      assert.deepStrictEqual(written, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
      assert.strictEqual(yield* Fiber.join(done), 110)
    })
  )

  it.effect("what lies in memory is written before the call ends, and moving everything before it", () =>
    Effect.gen(function* () {
      const moving = yield* makeMoving<never>()
      const first = yield* Deferred.make<void>()
      const order: Array<string> = []
      const say = (what: string) => Effect.sync(() => void order.push(what))
      yield* moving.move(batchOf(1), () => Effect.andThen(Deferred.await(first), say("read")))
      const second = yield* Effect.forkChild(
        Effect.andThen(
          moving.move(mapped(2), () => say("mapped")),
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
        (moving: Moving<"broken">) => moving.move(batchOf(2), () => Effect.void),
        (moving: Moving<"broken">) => moving.move(mapped(2), () => Effect.void),
        (moving: Moving<"broken">) => moving.drained
      ]
      for (const call of calls) {
        const moving = yield* makeMoving<"broken">()
        yield* moving.move(batchOf(1), () => Effect.fail("broken" as const))
        assert.strictEqual(yield* Effect.flip(call(moving)), "broken")
      }
    })
  )

  it.effect("leaving the scope interrupts the write under way", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const moving = yield* Scope.provide(makeMoving<never>(), scope)
      let interrupted = false
      const never = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (interrupted = true)))
      yield* moving.move(batchOf(1), () => never)
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(interrupted)
    })
  )
})
