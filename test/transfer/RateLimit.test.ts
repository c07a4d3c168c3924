import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import type { Extent } from "../../src/io/files/PositionalFile.ts"
import * as RateLimit from "../../src/transfer/RateLimit.ts"
import { between } from "../support/arbitraries.ts"

/** So many bytes at that millisecond. */
interface Grant {
  readonly at: number
  readonly bytes: number
}

/** Writers that never have enough, each of them with takes of its own size. */
const traffic = Arbitrary.all({
  limit: between(40_000, 2_000_000_000),
  /** Of the largest piece, in percent. */
  sizes: Arbitrary.array(between(10, 100), { minLength: 1, maxLength: 9 }),
  /** Every time the clock is looked at, so many milliseconds have gone by: timers are late. */
  ticks: Arbitrary.array(between(1, 50), { minLength: 1, maxLength: 30 })
})

const writeOnce = (limit: RateLimit.RateLimit, percent: number, grants: Array<Grant>) =>
  Effect.gen(function* () {
    const bytes = Math.max(1, Math.floor((limit.piece() * percent) / 100))
    yield* limit.take(bytes)
    grants.push({ at: yield* Clock.currentTimeMillis, bytes })
  })

const letPass = Effect.fnUntraced(function* (millis: number, ticks: ReadonlyArray<number>) {
  for (let passed = 0, i = 0; passed < millis; i++) {
    const tick = Math.min(ticks[i % ticks.length]!, millis - passed)
    yield* TestClock.adjust(tick)
    passed += tick
  }
})

const sum = (grants: ReadonlyArray<Grant>): number => grants.reduce((sum, { bytes }) => sum + bytes, 0)

/** The most and the least that was granted in one of the seconds that begin with a grant. */
const extremes = (grants: ReadonlyArray<Grant>, until: number) => {
  let most = 0
  let least = Infinity
  let end = 0
  let inside = 0
  for (const { at, bytes } of grants) {
    for (; end < grants.length && grants[end]!.at <= at + 1000; end++) inside += grants[end]!.bytes
    most = Math.max(most, inside)
    inside -= bytes
    if (at + 1000 <= until) least = Math.min(least, inside)
  }
  return { most, least }
}

describe("take", () => {
  it.effect.prop(
    "in no second more than the limit, and no less than 90 % of it while there is work",
    { traffic },
    ({ traffic: { limit, sizes, ticks } }) =>
      Effect.gen(function* () {
        const rate = yield* RateLimit.make(limit)
        const grants: Array<Grant> = []
        yield* Effect.forEach(sizes, (percent) => Effect.forkChild(Effect.forever(writeOnce(rate, percent, grants))))
        yield* letPass(3000, ticks)
        const { least, most } = extremes(grants, 3000)
        assert.isAtMost(most, limit)
        assert.isAtLeast(least, 0.9 * limit)
        assert.isAtLeast(sum(grants), 2.9 * limit)
      }),
    { arbitrary: { runs: 30 } }
  )

  it.effect.prop(
    "in no second more than the limit, when the bucket has filled up before",
    { limit: between(40_000, 2_000_000_000), idle: between(0, 300), size: between(10, 100) },
    ({ idle, limit, size }) =>
      Effect.gen(function* () {
        const rate = yield* RateLimit.make(limit)
        const grants: Array<Grant> = []
        yield* TestClock.adjust(idle)
        yield* Effect.forkChild(Effect.forever(writeOnce(rate, size, grants)))
        yield* letPass(1500, [5])
        const { least, most } = extremes(grants, idle + 1500)
        assert.isAtMost(most, limit)
        assert.isAtLeast(least, 0.9 * limit)
      }),
    { arbitrary: { runs: 40 } }
  )

  it.effect("in no tenth of a second more than a fifth of the limit, even where none was taken before", () =>
    Effect.gen(function* () {
      const limit = yield* RateLimit.make(1_000_000)
      const grants: Array<Grant> = []
      yield* TestClock.adjust(500)
      yield* Effect.forkChild(Effect.forever(writeOnce(limit, 10, grants)))
      yield* letPass(2000, [1])
      for (const { at } of grants) {
        assert.isAtMost(sum(grants.filter((grant) => grant.at >= at && grant.at <= at + 100)), 200_000)
      }
    })
  )

  it.effect("gives way in the order of asking", () =>
    Effect.gen(function* () {
      const limit = yield* RateLimit.make(1000)
      const order: Array<number> = []
      const ask = (bytes: number) =>
        Effect.andThen(
          limit.take(bytes),
          Effect.sync(() => order.push(bytes))
        )
      const all = yield* Effect.forkChild(Effect.forEach([25, 1, 24, 2], ask, { concurrency: "unbounded" }))
      yield* letPass(60, [1])
      yield* Fiber.join(all)
      assert.deepStrictEqual(order, [25, 1, 24, 2])
    })
  )

  it.effect("lets pass what is larger than the bucket when it is full, and then waits until it is paid for", () =>
    Effect.gen(function* () {
      const limit = yield* RateLimit.make(1000)
      const grants: Array<number> = []
      const ask = Effect.andThen(
        limit.take(475),
        Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.sync(() => grants.push(now)))
      )
      yield* Effect.forkChild(Effect.andThen(ask, ask))
      yield* letPass(600, [1])
      assert.deepStrictEqual(grants, [100, 575])
    })
  )

  it.effect.each([0, -1, Number.NaN, Infinity])("%d is unlimited", (none) =>
    Effect.gen(function* () {
      const limit = yield* RateLimit.make(none)
      yield* limit.take(1e12)
      assert.strictEqual(limit.bytesPerSecond(), 0)
      assert.strictEqual(limit.piece(), Infinity)
    })
  )

  it.effect("who is interrupted while it waits takes nothing", () =>
    Effect.gen(function* () {
      const limit = yield* RateLimit.make(1000)
      const asking = yield* Effect.forkChild(limit.take(50), { startImmediately: true })
      yield* Fiber.interrupt(asking)
      yield* TestClock.adjust(53)
      yield* limit.take(50)
    })
  )
})

describe("set", () => {
  it.effect("wakes whoever waits", () =>
    Effect.gen(function* () {
      const limit = yield* RateLimit.make(1)
      const asking = yield* Effect.forkChild(limit.take(1), { startImmediately: true })
      yield* limit.set(1000)
      assert.strictEqual(limit.bytesPerSecond(), 1000)
      yield* TestClock.adjust(2)
      yield* Fiber.join(asking)

      const other = yield* Effect.forkChild(limit.take(50), { startImmediately: true })
      yield* limit.set(0)
      yield* Fiber.join(other)
    })
  )

  it.effect("can be called at every moment without letting more pass than the largest of the limits", () =>
    Effect.gen(function* () {
      const rate = yield* RateLimit.make(100_000)
      const grants: Array<Grant> = []
      yield* Effect.forkChild(Effect.forever(writeOnce(rate, 40, grants)))
      for (let i = 0; i < 400; i++) {
        yield* rate.set(i % 3 === 0 ? 100_000 : 50_000)
        yield* TestClock.adjust(7)
      }
      assert.isAtMost(extremes(grants, 2800).most, 100_000)
      assert.isAtLeast(extremes(grants, 2800).least, 45_000)
    })
  )

  it.effect.each([
    { from: 100, to: 1000, millis: 390 },
    { from: 1000, to: 100, millis: 3900 }
  ])("from $from to $to: what was taken ahead is paid for at the new limit", ({ from, millis, to }) =>
    Effect.gen(function* () {
      const limit = yield* RateLimit.make(from)
      yield* TestClock.adjust(100)
      yield* limit.take(from / 10 + 390)
      yield* limit.set(to)
      const asking = yield* Effect.forkChild(limit.take(to / 1000), { startImmediately: true })
      yield* letPass(millis, [1])
      assert.isUndefined(asking.pollUnsafe())
      // The last second has to be over as well.
      yield* letPass(1010, [1])
      assert.isDefined(asking.pollUnsafe())
    })
  )

  it.effect("a limit that comes and goes leaves nothing in the bucket", () =>
    Effect.gen(function* () {
      const limit = yield* RateLimit.make(1000)
      yield* TestClock.adjust(1000)
      yield* limit.set(0)
      yield* limit.set(1000)
      const asking = yield* Effect.forkChild(limit.take(1), { startImmediately: true })
      assert.isUndefined(asking.pollUnsafe())
      yield* TestClock.adjust(2)
      yield* Fiber.join(asking)
    })
  )
})

const lengths = Arbitrary.array(between(0, 20_000), { maxLength: 8 })

describe("writeParts", () => {
  it.effect.prop(
    "writes every byte once, in order, in pieces that are small enough",
    { lengths, limit: between(4000, 2_000_000) },
    ({ lengths, limit }) =>
      Effect.gen(function* () {
        const parts = lengths.map((length, index) => new Uint8Array(length).fill(index + 1))
        const rate = yield* RateLimit.make(limit)
        const written: Array<Uint8Array> = []
        yield* RateLimit.writeParts({ ...rate, take: () => Effect.void }, parts, (parts) =>
          Effect.sync(() => {
            assert.isAtMost(Buffer.concat(parts).length, rate.piece())
            written.push(...parts)
          })
        )
        assert.isTrue(Buffer.concat(written).equals(Buffer.concat(parts)))
      })
  )

  it.effect("takes what it writes, before it writes it", () =>
    Effect.gen(function* () {
      const limit = yield* RateLimit.make(4000)
      const writes: Array<number> = []
      const write = (parts: ReadonlyArray<Uint8Array>) =>
        Effect.sync(() => void writes.push(...parts.map((part) => part.length)))
      const writing = yield* Effect.forkChild(RateLimit.writeParts(limit, [new Uint8Array(250)], write))
      yield* letPass(24, [1])
      assert.deepStrictEqual(writes, [])
      yield* letPass(1, [1])
      assert.deepStrictEqual(writes, [100])
      yield* letPass(38, [1])
      assert.deepStrictEqual(writes, [100, 100, 50])
      yield* Fiber.join(writing)
    })
  )

  it.effect("without a limit, writes everything at once", () =>
    Effect.gen(function* () {
      const parts = [new Uint8Array(3), new Uint8Array(5)]
      const calls: Array<unknown> = []
      yield* RateLimit.writeParts(yield* RateLimit.make(), parts, (parts) => Effect.sync(() => void calls.push(parts)))
      assert.strictEqual(calls.length, 1)
      assert.strictEqual(calls[0], parts)
    })
  )
})

describe("writeExtents", () => {
  it.effect.prop(
    "writes every byte to its place, cut at multiples of 4096",
    { lengths, limit: between(4000, 2_000_000) },
    ({ lengths, limit }) =>
      Effect.gen(function* () {
        const extents = lengths.map((length, index) => ({
          position: index * 20_480,
          bytes: new Uint8Array(length).fill(index + 1)
        }))
        const file = new Uint8Array(8 * 20_480)
        const rate = yield* RateLimit.make(limit)
        const write = (extents: ReadonlyArray<Extent>) =>
          Effect.sync(() => {
            const bytes = extents.reduce((sum, { bytes }) => sum + bytes.length, 0)
            assert.isAtMost(bytes, Math.max(4096, rate.piece()))
            for (const { bytes, position } of extents) {
              assert.strictEqual(position % 4096, 0)
              assert.isTrue(file.subarray(position, position + bytes.length).every((byte) => byte === 0))
              file.set(bytes, position)
            }
          })
        yield* RateLimit.writeExtents({ ...rate, take: () => Effect.void }, extents, write)
        for (const { bytes, position } of extents) {
          assert.deepStrictEqual(file.slice(position, position + bytes.length), bytes)
        }
      })
  )
})
