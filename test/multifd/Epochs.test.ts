import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Epochs from "../../src/multifd/Epochs.ts"
import { whileTimePasses } from "./support/recorder.ts"

const PEER = "tcp:127.0.0.1:1"

const started = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(effect, { startImmediately: true })

/** The code of what goes wrong, the channel, and the place on its connection. */
const failureOf = <A>(effect: Effect.Effect<A, Effect.Error<Epochs.Epochs["mark"]>>) =>
  Effect.map(Effect.flip(effect), ({ channel, findings, peer }) => {
    assert.strictEqual(peer, PEER)
    return `${findings[0].code} on ${channel} at ${findings[0].offset}`
  })

describe("Epochs", () => {
  it.effect("the main channel waits for all channels, and they for it", () =>
    Effect.gen(function* () {
      const epochs = Epochs.make(PEER, 2)
      const first = yield* started(epochs.arrive(0, 64))
      const mark = yield* started(epochs.mark)
      yield* Effect.yieldNow
      assert.isUndefined(first.pollUnsafe())
      assert.isUndefined(mark.pollUnsafe())
      const second = yield* started(epochs.arrive(1, 64))
      yield* Fiber.join(mark)
      yield* Fiber.joinAll([first, second])
    })
  )

  it.effect("without channels, nobody waits for anything", () =>
    Effect.gen(function* () {
      const epochs = Epochs.make(PEER, 0)
      yield* epochs.mark
      yield* epochs.close
      yield* epochs.allEnded
    })
  )

  it.effect("pages in front of the first SYNC: epoch-pages-early", () =>
    Effect.gen(function* () {
      const epochs = Epochs.make(PEER, 2)
      assert.strictEqual(yield* failureOf(epochs.pages(1, 64)), "epoch-pages-early on 1 at 64")
    })
  )

  it.effect("a channel that ends while the main channel waits for it: epoch-sync-missing, at once", () =>
    Effect.gen(function* () {
      const epochs = Epochs.make(PEER, 2)
      yield* started(epochs.arrive(0, 64))
      const mark = yield* started(failureOf(epochs.mark))
      yield* Effect.yieldNow
      assert.isUndefined(mark.pollUnsafe())
      yield* epochs.end(1, 1408)
      assert.strictEqual(yield* Fiber.join(mark), "epoch-sync-missing on 1 at 1408")
    })
  )

  it.effect("a channel that has ended before a mark: epoch-sync-missing", () =>
    Effect.gen(function* () {
      const epochs = Epochs.make(PEER, 1)
      yield* epochs.end(0, 64)
      assert.strictEqual(yield* failureOf(epochs.mark), "epoch-sync-missing on 0 at 64")
    })
  )

  /** One channel, which has passed its first mark. */
  const running = Effect.gen(function* () {
    const epochs = Epochs.make(PEER, 1)
    yield* started(epochs.arrive(0, 64))
    yield* epochs.mark
    return epochs
  })

  it.effect("a channel that ends behind pages: epoch-sync-missing", () =>
    Effect.gen(function* () {
      const epochs = yield* running
      yield* epochs.pages(0, 1408)
      yield* epochs.end(0, 9000)
      assert.strictEqual(yield* failureOf(epochs.close), "epoch-sync-missing on 0 at 9000")
    })
  )

  it.effect("a SYNC that waits for a mark when there is none any more: epoch-sync-unexpected", () =>
    Effect.gen(function* () {
      const epochs = yield* running
      yield* started(epochs.arrive(0, 1408))
      assert.strictEqual(yield* failureOf(epochs.close), "epoch-sync-unexpected on 0 at 1408")
    })
  )

  it.effect("a SYNC behind the last mark: epoch-sync-unexpected", () =>
    Effect.gen(function* () {
      const epochs = yield* running
      yield* epochs.close
      assert.strictEqual(yield* failureOf(epochs.arrive(0, 1408)), "epoch-sync-unexpected on 0 at 1408")
    })
  )

  it.effect("pages that no SYNC follows when RAM ends, or that come later: epoch-pages-late", () =>
    Effect.gen(function* () {
      const early = yield* running
      yield* early.pages(0, 1408)
      assert.strictEqual(yield* failureOf(early.close), "epoch-pages-late on 0 at 1408")
      const late = yield* running
      yield* late.close
      assert.strictEqual(yield* failureOf(late.pages(0, 1408)), "epoch-pages-late on 0 at 1408")
    })
  )

  it.effect("all have ended when the last one has", () =>
    Effect.gen(function* () {
      const epochs = Epochs.make(PEER, 2)
      const ended = yield* started(epochs.allEnded)
      yield* epochs.end(1, 0)
      yield* Effect.yieldNow
      assert.isUndefined(ended.pollUnsafe())
      yield* epochs.end(0, 0)
      yield* Fiber.join(ended)
    })
  )

  const millis = Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 })))
  const delays = Arbitrary.array(Arbitrary.array(millis, { minLength: 6, maxLength: 6 }), {
    minLength: 2,
    maxLength: 9
  })

  it.effect.prop("nobody is ever an epoch ahead, whatever the delays", { delays }, ({ delays }) =>
    Effect.gen(function* () {
      const [mainDelays, ...lanes] = delays
      const epochs = Epochs.make(PEER, lanes.length)
      const arrived = lanes.map(() => 0)
      let marked = 0
      const main = Effect.forEach(mainDelays!, (delay, k) =>
        Effect.gen(function* () {
          yield* Effect.sleep(delay)
          yield* epochs.mark
          assert.deepStrictEqual(
            arrived,
            lanes.map(() => k + 1)
          )
          marked++
        })
      ).pipe(Effect.andThen(epochs.close), Effect.andThen(epochs.allEnded))
      const lane = (own: ReadonlyArray<number>, id: number) =>
        Effect.forEach(own, (delay, k) =>
          Effect.gen(function* () {
            if (k > 0) yield* epochs.pages(id, k)
            yield* Effect.sleep(delay)
            arrived[id]! += 1
            yield* epochs.arrive(id, k)
            assert.isAtLeast(marked + 1, k + 1)
          })
        ).pipe(Effect.andThen(epochs.end(id, 0)))
      yield* whileTimePasses(Effect.all([main, ...lanes.map(lane)], { concurrency: "unbounded", discard: true }))
    })
  )
})
