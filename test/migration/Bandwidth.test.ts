/**
 * How fast a whole save writes its pages, seen from the disk.
 */
import { assert, describe, it } from "@effect/vitest"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileCalls from "../../src/io/files/FileCalls.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as RateLimit from "../../src/transfer/RateLimit.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import { whileTimePasses } from "../support/time.ts"
import { between } from "../support/arbitraries.ts"

const PAGE = 4096

interface Write {
  readonly at: number
  readonly bytes: number
}

/** A disk that takes down when how many bytes of pages were given to it. */
const watchedDisk = Effect.map(Effect.clockWith(Effect.succeed), (clock: Clock.Clock) => {
  const disk = MemoryDisk.make()
  const writes: Array<Write> = []
  const write: FileCalls.Calls["write"] = (fd, data, offset, length, position, done) => {
    // Headers, bitmaps and the device state lie in front of the first MiB, or are no whole pages.
    if (position >= 2 ** 20 && length % PAGE === 0) writes.push({ at: clock.currentTimeMillisUnsafe(), bytes: length })
    disk.calls.write(fd, data, offset, length, position, done)
  }
  return { calls: { ...disk.calls, write }, writes }
})

/** The most and the least that was written in any second that begins or ends with a write, but for the last one. */
const extremes = (writes: ReadonlyArray<Write>) => {
  const inside = (from: number, to: number) =>
    writes.reduce((sum, { at, bytes }) => (at >= from && at <= to ? sum + bytes : sum), 0)
  const end = writes.at(-1)!.at
  const seconds = writes.map(({ at }) => inside(at, at + 1000))
  const whole = writes.filter(({ at }) => at + 1000 < end).map(({ at }) => inside(at + 1, at + 1000))
  return { most: Math.max(...seconds), least: Math.min(...whole) }
}

const saveAt = Effect.fnUntraced(function* (
  pages: number,
  channels: number,
  maxBandwidth: number | RateLimit.RateLimit,
  meanwhile: Effect.Effect<unknown> = Effect.void
) {
  const { calls, writes } = yield* watchedDisk
  const ram = yield* MemoryPages.make({ idstr: "ram", memory: new Uint8Array(pages * PAGE).fill(1) })
  yield* Effect.forkChild(meanwhile)
  yield* whileTimePasses(
    Migration.make
      .save({ target: "/vm.img", blocks: [ram], channels, maxBandwidth, batchSize: 32 * PAGE })
      .pipe(Effect.provideService(FileCalls.FileCalls, calls)),
    // The disk is done with everything before the next moment comes.
    { turns: 12, step: 5 }
  )
  return writes
})

describe("maxBandwidth", () => {
  it.effect.prop(
    "is not exceeded in any second, and used to 90 % while there is work",
    { pagesPerSecond: between(45, 400), channels: between(1, 6) },
    ({ channels, pagesPerSecond }) =>
      Effect.gen(function* () {
        const limit = pagesPerSecond * PAGE
        const { least, most } = extremes(yield* saveAt(3 * pagesPerSecond, channels, limit))
        assert.isAtMost(most, limit)
        assert.isAtLeast(least, 0.9 * limit)
      }),
    { arbitrary: { runs: 12 } }
  )

  it.effect("can be changed while a save goes on", () =>
    Effect.gen(function* () {
      const [slow, fast] = [50 * PAGE, 400 * PAGE]
      const rateLimit = yield* RateLimit.make(slow)
      const change = Effect.andThen(Effect.sleep("2 seconds"), rateLimit.set(fast))
      const writes = yield* saveAt(900, 3, rateLimit, change)
      const before = extremes(writes.filter(({ at }) => at < 2000))
      assert.isAtMost(before.most, slow)
      assert.isAtLeast(before.least, 0.9 * slow)
      const after = extremes(writes.filter(({ at }) => at >= 2000))
      assert.isAtMost(after.most, fast)
      assert.isAtLeast(after.least, 0.9 * fast)
    })
  )

  it.effect("0 is no limit", () =>
    Effect.gen(function* () {
      const writes = yield* saveAt(4000, 2, 0)
      assert.isAtMost(writes.at(-1)!.at, 200)
    })
  )

  it.effect.each([-1, Number.NaN, Infinity])("%d is refused", (maxBandwidth) =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(saveAt(1, 1, maxBandwidth))
      const error = yield* Effect.flip(exit)
      assert(error._tag === "MigrationRequestError")
      assert.strictEqual(error.message, `cannot save: maxBandwidth is ${maxBandwidth}; use 0 or more bytes a second`)
      assert.isTrue(Exit.isFailure(exit))
    })
  )
})
