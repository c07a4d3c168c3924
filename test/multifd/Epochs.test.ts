import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type * as Finding from "../../src/format/Finding.ts"
import * as Epochs from "../../src/multifd/Epochs.ts"
import { whileMillisPass } from "../support/time.ts"
import { between } from "../support/arbitraries.ts"

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

  it.effect("a SYNC that waits for a mark when there is none any more goes on: QEMU 9.1 and 9.2", () =>
    Effect.gen(function* () {
      const epochs = yield* running
      const waiting = yield* started(epochs.arrive(0, 1408))
      yield* epochs.close
      yield* Fiber.join(waiting)
      yield* epochs.end(0, 2752)
      yield* epochs.allEnded
    })
  )

  it.effect("a SYNC behind the last mark, too; a second one: epoch-sync-unexpected", () =>
    Effect.gen(function* () {
      const late = yield* running
      yield* late.close
      yield* late.arrive(0, 1408)
      assert.strictEqual(yield* failureOf(late.arrive(0, 2752)), "epoch-sync-unexpected on 0 at 2752")
      const early = yield* running
      yield* started(early.arrive(0, 1408))
      yield* early.close
      assert.strictEqual(yield* failureOf(early.arrive(0, 2752)), "epoch-sync-unexpected on 0 at 2752")
    })
  )

  it.effect("pages around a SYNC that has no mark: epoch-pages-late", () =>
    Effect.gen(function* () {
      const before = yield* running
      yield* before.pages(0, 1408)
      yield* started(before.arrive(0, 6848))
      assert.strictEqual(yield* failureOf(before.close), "epoch-pages-late on 0 at 6848")
      const behind = yield* running
      yield* started(behind.arrive(0, 1408))
      yield* behind.close
      assert.strictEqual(yield* failureOf(behind.pages(0, 2752)), "epoch-pages-late on 0 at 2752")
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

  const millis = between(0, 9)
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
      yield* whileMillisPass(Effect.all([main, ...lanes.map(lane)], { concurrency: "unbounded", discard: true }))
    })
  )

  /** What a channel does behind the SYNC of the last mark, and what is said of it. */
  const endings: ReadonlyArray<readonly [string, ReadonlyArray<Finding.FindingCode>]> = [
    ["", []],
    ["s", []],
    ["ss", ["epoch-sync-unexpected"]],
    ["p", ["epoch-pages-late", "epoch-sync-missing"]],
    ["ps", ["epoch-pages-late"]],
    ["sp", ["epoch-pages-late"]],
    ["sps", ["epoch-pages-late"]]
  ]
  const trails = Arbitrary.array(
    Arbitrary.schema(
      Schema.Struct({
        steps: Schema.Literals(endings.map(([steps]) => steps)),
        delay: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))
      })
    ),
    { minLength: 1, maxLength: 5 }
  )

  it.effect.prop(
    "behind the last mark one SYNC of each channel is right, and nothing else",
    { trails, millis },
    (drawn) =>
      Effect.gen(function* () {
        const epochs = Epochs.make(PEER, drawn.trails.length)
        const main = Effect.sleep(drawn.millis).pipe(
          Effect.andThen(epochs.mark),
          Effect.andThen(epochs.mark),
          Effect.andThen(Effect.sleep(drawn.millis)),
          Effect.andThen(epochs.close),
          Effect.andThen(epochs.allEnded)
        )
        const play = ({ delay, steps }: (typeof drawn.trails)[number], id: number) =>
          Effect.forEach(["s", "p", "s", ...steps], (step, at) =>
            Effect.andThen(
              Effect.sleep((delay * (at + 1)) % 10),
              step === "s" ? epochs.arrive(id, at) : epochs.pages(id, at)
            )
          ).pipe(Effect.andThen(epochs.end(id, 99)))
        const all = Effect.all([main, ...drawn.trails.map(play)], { concurrency: "unbounded", discard: true })
        const exit = yield* Effect.exit(whileMillisPass(all))
        const expected = drawn.trails.flatMap(({ steps }) => endings.find(([name]) => name === steps)![1])
        if (expected.length === 0) return yield* exit
        const { findings } = yield* Effect.flip(exit)
        assert.include(expected, findings[0].code)
      })
  )
})
