/**
 * Whole migrations from one number each: the machine, the disks, the network, who goes on when, and what goes wrong.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { simulation as settings } from "../support/settings.ts"
import { play } from "../support/simulation/wholeSystem.ts"

/** What CI plays at the least. */
const MIN_SEEDS = 500

const isReplay = Option.isSome(settings.seed)
const seeds = Option.match(settings.seed, {
  onNone: () => Array.from({ length: settings.seeds }, (_, index) => settings.first + index),
  onSome: (seed) => [seed]
})

/** Plays one seed; how it ended, or how to see it again. */
const ended = Effect.fnUntraced(function* (seed: number) {
  const { exit, running, settled } = yield* play(seed)
  const problem =
    exit === undefined
      ? "it hangs"
      : Exit.isFailure(exit)
        ? Cause.pretty(exit.cause)
        : running > 0 || !settled
          ? `${running} fibers are left`
          : undefined
  assert.isUndefined(problem, `SIMULATION_SEED=${seed} replays this`)
  assert(exit !== undefined && Exit.isSuccess(exit))
  return exit.value
})

describe("a whole migration", () => {
  const ways = new Set<string>()

  it.live(
    "ends well, or leaves everything as it was",
    () =>
      Effect.gen(function* () {
        for (const seed of seeds) {
          const { crash, found, receivedAs, sentAs, trouble } = yield* ended(seed)
          ways.add(`sent: ${sentAs}`).add(`received: ${receivedAs}`).add(`found: ${found}`)
          ways.add(`after the crash: ${crash}`).add(`${trouble}: ${receivedAs === "success" ? "passed" : "failed"}`)
        }
      }),
    0
  )

  it.skipIf(isReplay)("has ended often enough, and in every way", () => {
    assert.isAtLeast(seeds.length, MIN_SEEDS)
    const both = ["Connection", "Call", "Crash"].flatMap((trouble) => [`${trouble}: passed`, `${trouble}: failed`])
    const sent = ["success", "interrupted", "PeerFailedError", "PeerTimeoutError", "ConnectionLostError"]
    const received = ["success", "interrupted", "FileIoError", "PeerTimeoutError", "ProtocolError"]
    const found = ["none", "before", "no image", "complete"]
    for (const way of [
      "None: passed",
      ...both,
      ...sent.map((way) => `sent: ${way}`),
      ...received.map((way) => `received: ${way}`),
      ...found.map((way) => `found: ${way}`),
      ...found.map((way) => `after the crash: ${way}`)
    ]) {
      assert.isTrue(ways.has(way), way)
    }
  })

  it.live(
    "is the same again from the same seed, whatever was played before",
    () =>
      Effect.gen(function* () {
        const some = seeds.slice(0, 40)
        const digests = (order: ReadonlyArray<number>) =>
          Effect.forEach(order, (seed) =>
            Effect.map(play(seed), ({ digest, millis, steps }) => [seed, digest, millis, steps].join())
          )
        const once = yield* digests(some)
        const again = yield* digests(some.toReversed())
        assert.deepStrictEqual(again.toReversed(), once)
        assert.lengthOf(new Set(once.map((line) => line.split(",")[1])), some.length)
      }),
    0
  )
})
