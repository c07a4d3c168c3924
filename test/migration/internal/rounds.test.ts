import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as ByteSource from "../../../src/snapshot/ByteSource.ts"
import * as Rounds from "../../../src/migration/internal/rounds.ts"
import type * as Live from "../../../src/snapshot/Live.ts"
import * as Progress from "../../../src/migration/Progress.ts"
import type * as Statistics from "../../../src/migration/Statistics.ts"
import type { Channel } from "../../../src/transfer/Channel.ts"
import * as Pipeline from "../../../src/transfer/Pipeline.ts"
import * as TransferCounters from "../../../src/transfer/TransferCounters.ts"
import * as DirtyTracker from "../../../src/ram/DirtyTracker.ts"
import * as MemoryPages from "../../../src/ram/MemoryPages.ts"
import * as PageBatch from "../../../src/ram/PageBatch.ts"
import * as PageRuns from "../../../src/ram/PageRuns.ts"
import { between } from "../../support/arbitraries.ts"
import { whileMillisPass } from "../../support/time.ts"

const PAGE = 4096
const PAGES = 1000

class Failure {
  readonly _tag = "Failure"
  readonly at: string
  constructor(at: string) {
    this.at = at
  }
}

/** A channel that moves a page in a millisecond. */
const slowChannel = (id: number, counters: TransferCounters.TransferCounters, heard: Array<string>): Channel => ({
  id,
  transfer: (batch) =>
    Effect.flatMap(
      PageBatch.load(batch, (length) => new Uint8Array(length)),
      (loaded) =>
        Effect.map(Effect.sleep(PageRuns.pages(loaded.normal)), () =>
          TransferCounters.add(counters, loaded, batch.length)
        )
    ),
  sync: Effect.sync(() => void heard.push("sync")),
  finish: Effect.sync(() => void heard.push("finish"))
})

interface Setting {
  /** Pages that the writer makes dirty in a second, while it is not slowed down. */
  readonly dirtyPerSecond: number
  readonly live?: Partial<Live.Options<Failure>>
}

/** Runs the rounds of a block of 1000 pages over one channel, and tells what was heard of them, and when. */
const run = Effect.fnUntraced(function* ({ dirtyPerSecond, live }: Setting) {
  const ram = yield* Effect.orDie(MemoryPages.make({ idstr: "pc.ram", memory: new Uint8Array(PAGES * PAGE).fill(1) }))
  const tracker = yield* DirtyTracker.marking([ram])
  const progress = yield* Progress.make
  const { counters, statistics, status } = progress
  const heard: Array<string> = []
  const times = new Map<string, number>()
  const hear = (word: string) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      heard.push(word)
      times.set(word, now)
    })
  let running = true
  let throttled = 0
  let atPause: Statistics.Statistics | undefined
  let foretold: number | undefined
  const watch = Effect.map(statistics.snapshot, (now) => void (foretold = now["expected-downtime"] ?? foretold))
  let page = 0
  const writer = Effect.gen(function* () {
    yield* Effect.sleep((1000 / dirtyPerSecond) * (100 / (100 - throttled)))
    page = (page + 7) % PAGES
    if (running) tracker.markDirty("pc.ram", page * PAGE, PAGE)
  }).pipe(Effect.forever)
  const options: Live.Options<Failure> = {
    tracker,
    pause: Effect.gen(function* () {
      running = false
      atPause = yield* statistics.snapshot
      yield* hear("pause")
    }),
    resume: Effect.andThen(
      Effect.sync(() => (running = true)),
      hear("resume")
    ),
    throttle: {
      set: (percentage) =>
        Effect.andThen(
          Effect.sync(() => (throttled = percentage)),
          hear(`throttle ${percentage}`)
        )
    },
    ...live
  }
  const exit = yield* Effect.gen(function* () {
    yield* progress.enter("setup")
    yield* progress.begin([ram], { live: true })
    yield* progress.enter("ram")
    if (dirtyPerSecond > 0) yield* Effect.forkScoped(writer)
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(watch, Effect.sleep(1))))
    const rounds = yield* Rounds.make({
      blocks: [ram],
      live: options,
      batchSize: 16 * PAGE,
      coalescePages: 0,
      counters,
      statistics,
      status
    })
    const open = () => Effect.succeed(slowChannel(0, counters, heard))
    yield* whileMillisPass(Pipeline.run({ source: rounds.jobs, channels: 1, open }))
    yield* hear("end")
    return rounds.machineState()
  }).pipe(Effect.scoped, Effect.exit)
  const { ram: figures, ...rest } = yield* statistics.snapshot
  return {
    exit,
    atPause: atPause!,
    foretold,
    heard,
    times,
    figures: figures!,
    statistics: rest,
    rounds: heard.filter((word) => word === "sync").length
  }
})

type Run = Effect.Success<ReturnType<typeof run>>

const downtimeOf = ({ times }: Run): number => times.get("end")! - times.get("pause")!

describe("convergence", () => {
  it.effect.prop(
    "a writer that is slower than the channels is stopped for no longer than the limit",
    { dirtyPerSecond: between(1, 400), downtimeLimit: between(20, 500) },
    ({ dirtyPerSecond, downtimeLimit }) =>
      Effect.gen(function* () {
        const done = yield* run({ dirtyPerSecond, live: { downtimeLimit, throttle: undefined } })
        assert.isTrue(Exit.isSuccess(done.exit))
        // What becomes dirty between the look that decides and the pause is not much: nothing waits in between.
        assert.isAtMost(downtimeOf(done), downtimeLimit + 2)
        assert.isBelow(done.rounds, 12)
      }),
    { arbitrary: { runs: 8 } }
  )

  it.effect("a writer that does nothing costs one round more, an empty one", () =>
    Effect.gen(function* () {
      const { figures, heard, statistics } = yield* run({ dirtyPerSecond: 0 })
      assert.deepStrictEqual(heard, ["sync", "pause", "sync", "finish", "end"])
      assert.deepInclude(figures, { normal: PAGES, remaining: 0, "dirty-sync-count": 3 })
      assert.strictEqual(statistics.status, "device")
    })
  )

  it.effect.each([1, 2, 7])("a writer that is too fast is stopped after %d rounds", (maxRounds) =>
    Effect.gen(function* () {
      const { figures, rounds } = yield* run({ dirtyPerSecond: 5000, live: { maxRounds, throttle: undefined } })
      assert.strictEqual(rounds, maxRounds + 1)
      assert.strictEqual(figures["dirty-sync-count"], maxRounds + 2)
    })
  )

  it.effect("a writer that is too fast is slowed down until it is not", () =>
    Effect.gen(function* () {
      const done = yield* run({ dirtyPerSecond: 1500, live: { downtimeLimit: 200 } })
      assert.isTrue(Exit.isSuccess(done.exit))
      const steps = done.heard.filter((word) => word.startsWith("throttle"))
      assert.deepStrictEqual(steps.slice(0, 3), ["throttle 20", "throttle 30", "throttle 40"])
      assert.deepStrictEqual(done.heard.slice(-5), ["pause", "throttle 0", "sync", "finish", "end"])
      assert.isBelow(done.rounds, 31)
      assert.isAtMost(downtimeOf(done), 202)
    })
  )
})

describe("the figures", () => {
  it.effect("are those of the last look", () =>
    Effect.gen(function* () {
      const { atPause, figures, foretold, statistics } = yield* run({
        dirtyPerSecond: 100,
        live: { maxRounds: 2, downtimeLimit: 0, throttle: undefined }
      })
      // A second for the full scan, a tenth of it for what became dirty meanwhile, and ten pages in that time, which take as
      // many milliseconds.
      assert.approximately(atPause.ram!["dirty-pages-rate"], 100, 10)
      assert.approximately(atPause.ram!.remaining, 10 * PAGE, 2 * PAGE)
      assert.approximately(foretold!, 10, 3)
      assert.strictEqual(atPause.ram!["dirty-sync-count"], 3)
      assert.strictEqual(statistics["expected-downtime"], foretold)
      assert.deepInclude(figures, { remaining: 0, "dirty-sync-count": 4 })
    })
  )
})

describe("the hooks", () => {
  it.effect("are called in order, the machine's state last", () =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      const hear = (word: string) => Effect.sync(() => void heard.push(word))
      const state = { deviceState: ByteSource.fromBytes(Uint8Array.of(1)), description: ByteSource.empty }
      const { exit } = yield* run({
        dirtyPerSecond: 10,
        live: {
          pause: hear("pause"),
          beforeSwitchover: hear("switchover"),
          machineState: Effect.as(hear("state"), state),
          resume: hear("resume")
        }
      })
      assert.deepStrictEqual(heard, ["pause", "switchover", "state"])
      assert.isTrue(Exit.isSuccess(exit) && exit.value === state)
    })
  )

  it.effect("let the writer go on behind the last page, when that was asked for", () =>
    Effect.gen(function* () {
      const { heard } = yield* run({ dirtyPerSecond: 10, live: { leave: "running" } })
      assert.deepStrictEqual(heard.slice(-5), ["pause", "sync", "resume", "finish", "end"])
    })
  )

  const failing = Effect.fail(new Failure("here"))

  it.effect.each([
    { name: "pause", live: { pause: failing } },
    { name: "beforeSwitchover", live: { beforeSwitchover: failing } },
    { name: "machineState", live: { machineState: failing } }
  ])("fail the migration with their own error, and the writer goes on: $name", ({ live }) =>
    Effect.gen(function* () {
      const { exit, heard } = yield* run({ dirtyPerSecond: 10, live })
      assert.deepStrictEqual(Exit.findErrorOption(exit), Option.some(new Failure("here")))
      assert.strictEqual(heard.at(-1), "resume")
      assert.lengthOf(
        heard.filter((word) => word === "resume"),
        1
      )
    })
  )

  it.effect("are not called when it fails before", () =>
    Effect.gen(function* () {
      const tracker: DirtyTracker.DirtyTracker = {
        start: (blocks) => Effect.succeed({ blocks, collect: () => Effect.die("cannot look") })
      }
      const { exit, heard } = yield* run({ dirtyPerSecond: 10, live: { tracker } })
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(heard, ["sync"])
    })
  )
})
