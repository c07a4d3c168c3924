import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { reportingFailure } from "../../src/transfer/FirstError.ts"
import * as Job from "../../src/transfer/Job.ts"
import * as Pipeline from "../../src/transfer/Pipeline.ts"
import { PipelineOptionsError } from "../../src/transfer/PipelineOptions.ts"
import * as Recorder from "../support/wire/recorder.ts"
import { between } from "../support/arbitraries.ts"
import { whileMillisPass } from "../support/time.ts"

/** A migration: rounds of so many batches each, and how long everything takes. */
const plan = Arbitrary.all({
  channels: between(1, 8),
  queueDepth: between(1, 20),
  rounds: Arbitrary.array(between(0, 12), { minLength: 1, maxLength: 4 }),
  endsInSync: Arbitrary.schema(Schema.Boolean),
  delays: Arbitrary.array(between(0, 9), { minLength: 1, maxLength: 20 })
})

type Plan = typeof plan extends Arbitrary.Arbitrary<infer A> ? A : never

/** Batch `1000 × round + number`. */
const jobs = ({ endsInSync, rounds }: Plan): ReadonlyArray<Job.Job> =>
  rounds
    .flatMap((batches, round) => [
      ...Array.from({ length: batches }, (_, number) => Job.batch(Recorder.batchOf(1000 * round + number))),
      Job.sync
    ])
    .slice(0, endsInSync ? undefined : -1)

const roundOf = (batch: number): number => Math.floor(batch / 1000)

/** A delay that looks random and differs from call to call. */
const pause = ({ delays }: Plan, salt: number): Effect.Effect<void> => {
  const millis = delays[salt % delays.length]!
  return millis === 0 ? Effect.void : Effect.sleep(millis)
}

const sourceOf = (plan: Plan) =>
  Stream.fromIterable(jobs(plan), { chunkSize: 1 }).pipe(
    Stream.mapEffect((job) => Effect.as(pause(plan, plan.rounds.length), job))
  )

const runPlan = <E = never>(
  plan: Plan,
  recorder: Recorder.Recorder,
  source: Stream.Stream<Job.Job, E> = sourceOf(plan)
) => Pipeline.run({ source, channels: plan.channels, queueDepth: plan.queueDepth, open: recorder.open })

const calm = (plan: Plan) => Recorder.make((event, index) => pause(plan, index * 7 + event.channel * 3))

describe("order", () => {
  it.effect.prop(
    "no page of a round is touched before every page of the round before it",
    { plan },
    ({ plan }) =>
      Effect.gen(function* () {
        const recorder = calm(plan)
        yield* whileMillisPass(runPlan(plan, recorder))
        for (const round of plan.rounds.keys()) {
          const begins = recorder.where(
            (e) => e.when === "begin" && e.operation === "transfer" && roundOf(e.batch) > round
          )
          const ends = recorder.where(
            (e) => e.when === "end" && e.operation === "transfer" && roundOf(e.batch) <= round
          )
          assert.isBelow(ends.at(-1) ?? -1, begins[0] ?? Infinity)
        }
      }),
    { arbitrary: { runs: 300 } }
  )

  it.effect.prop(
    "every batch moves once, every channel is synced once a round, finished and released",
    { plan },
    ({ plan }) =>
      Effect.gen(function* () {
        const recorder = calm(plan)
        yield* whileMillisPass(runPlan(plan, recorder))
        const begun = recorder.events.filter((event) => event.when === "begin")
        const batches = begun.filter((event) => event.operation === "transfer").map((event) => event.batch)
        assert.deepStrictEqual(
          batches.toSorted((a, b) => a - b),
          jobs(plan).flatMap((job) => (job._tag === "Batch" ? [job.batch.offset] : []))
        )
        const last = plan.rounds.at(-1)!
        const syncs = plan.rounds.length - (plan.endsInSync || last > 0 ? 0 : 1)
        for (let channel = 0; channel < plan.channels; channel++) {
          const own = begun.filter((event) => event.channel === channel).map((event) => event.operation)
          assert.deepStrictEqual(
            own.filter((operation) => operation !== "transfer"),
            ["open", ...Array.from({ length: syncs }, () => "sync" as const), "finish", "release"]
          )
          assert.notStrictEqual(own.at(-3), "transfer", "a sync stands behind the last batch")
        }
      })
  )

  it.effect.prop("the source is pulled no further ahead than the queue is deep", { plan }, ({ plan }) =>
    Effect.gen(function* () {
      const recorder = calm(plan)
      let pulled = 0
      let furthest = 0
      const counted = Stream.map(sourceOf(plan), (job) => {
        if (job._tag === "Batch") pulled++
        const begun = recorder.where((event) => event.when === "begin" && event.operation === "transfer").length
        furthest = Math.max(furthest, pulled - begun)
        return job
      })
      yield* whileMillisPass(runPlan(plan, recorder, counted))
      // One more may wait at a full queue, another has just been made, and each channel may have taken one and not begun.
      assert.isAtMost(furthest, plan.queueDepth + plan.channels + 2)
    })
  )

  it.effect.prop("the source goes on behind a sync only when all channels have synced", { plan }, ({ plan }) =>
    Effect.gen(function* () {
      const recorder = calm(plan)
      let syncs = 0
      const watched = Stream.fromIterable(jobs(plan), { chunkSize: 1 }).pipe(
        Stream.map((job) => {
          assert.strictEqual(
            recorder.where((event) => event.when === "end" && event.operation === "sync").length,
            syncs * plan.channels
          )
          if (job._tag === "Sync") syncs++
          return job
        })
      )
      yield* whileMillisPass(runPlan(plan, recorder, watched))
    })
  )

  it.effect("a source without anything opens, finishes and releases", () =>
    Effect.gen(function* () {
      const recorder = Recorder.make(() => Effect.void)
      yield* Pipeline.run({ source: Stream.empty, channels: 2, open: recorder.open })
      const begun = recorder.events.filter((event) => event.when === "begin").map((event) => event.operation)
      assert.deepStrictEqual(begun, ["open", "open", "finish", "finish", "release", "release"])
    })
  )

  it.effect("settings are checked before anything is opened", () =>
    Effect.gen(function* () {
      const recorder = Recorder.make(() => Effect.void)
      const error = yield* Effect.flip(Pipeline.run({ source: Stream.empty, channels: 0, open: recorder.open }))
      assert.instanceOf(error, PipelineOptionsError)
      assert.deepStrictEqual(recorder.events, [])
    })
  )
})

describe("failure", () => {
  const operations = ["open", "transfer", "sync", "finish"] as const

  const failing = Arbitrary.all({
    plan,
    operation: Arbitrary.schema(Schema.Literals(operations)),
    index: between(0, 20)
  })

  it.effect.prop(
    "of any call of any channel: its error comes out, and every channel that was opened is released",
    { failing },
    ({ failing: { plan, operation, index } }) =>
      Effect.gen(function* () {
        const boom = new Recorder.Failure(`${operation} ${index}`)
        let failed = false
        const recorder = Recorder.make((event, at) =>
          Effect.andThen(
            pause(plan, at * 7 + event.channel * 3),
            Effect.suspend(() => {
              if (event.operation !== operation || at !== index) return Effect.void
              failed = true
              return Effect.fail(boom)
            })
          )
        )
        const exit = yield* Effect.exit(whileMillisPass(runPlan(plan, recorder)))
        assert.strictEqual(Exit.isFailure(exit), failed)
        if (Exit.isFailure(exit)) assert.deepStrictEqual(exit.cause.reasons.map(errorOf), [boom])
        assertReleased(recorder)
      }),
    { arbitrary: { runs: 300 } }
  )

  it.effect.prop(
    "of the source: its error comes out, and every channel is released",
    { plan, at: between(0, 40) },
    ({ plan, at }) =>
      Effect.gen(function* () {
        const recorder = calm(plan)
        const source = sourceOf(plan).pipe(Stream.take(at), Stream.concat(Stream.fail("source" as const)))
        const error = yield* Effect.flip(whileMillisPass(runPlan(plan, recorder, source)))
        assert.strictEqual(error, "source")
        assertReleased(recorder)
        assert.deepStrictEqual(
          recorder.where((event) => event.operation === "finish"),
          []
        )
      })
  )

  it.effect("of several channels: the first one is raised, whatever the others come to", () =>
    Effect.gen(function* () {
      const fates = [
        Effect.fail(new Recorder.Failure("second")),
        Effect.fail(new Recorder.Failure("first")),
        Effect.die("a defect"),
        Effect.void
      ]
      const delays = [20, 10, 30, 40]
      const recorder = Recorder.make(({ channel, operation }) =>
        operation === "transfer"
          ? reportingFailure(Effect.andThen(Effect.sleep(delays[channel]!), fates[channel]!))
          : Effect.void
      )
      const source = Job.round(Stream.map(Stream.range(0, 9, 1), Recorder.batchOf))
      const exit = yield* Pipeline.run({ source, open: recorder.open }).pipe(whileMillisPass, Effect.exit)
      assert(Exit.isFailure(exit))
      assert.deepStrictEqual(exit.cause.reasons.map(errorOf), [new Recorder.Failure("first")])
      assert.deepStrictEqual(
        Pipeline.laterFailures(exit.cause).map((cause) => cause.reasons.map(errorOf)),
        [[new Recorder.Failure("second")], ["a defect"]]
      )
      assertReleased(recorder)
    })
  )

  it.effect("of one channel alone: there are no others", () =>
    Effect.sync(() => assert.deepStrictEqual(Pipeline.laterFailures(Cause.fail("alone")), []))
  )

  it.effect.prop(
    "interruption at any moment releases every channel",
    { plan, after: between(0, 40) },
    ({ plan, after }) =>
      Effect.gen(function* () {
        const recorder = calm(plan)
        const fiber = yield* Effect.forkChild(runPlan(plan, recorder))
        yield* whileMillisPass(Effect.andThen(Effect.sleep(after), Fiber.interrupt(fiber)))
        assertReleased(recorder)
      })
  )

  it.effect("a channel that hangs in its sync does not keep the others from ending", () =>
    Effect.gen(function* () {
      const recorder = Recorder.make(({ channel, operation }) => {
        if (operation !== "sync") return Effect.void
        return channel === 0 ? Effect.never : Effect.andThen(Effect.sleep(5), Effect.fail(new Recorder.Failure("sync")))
      })
      const run = Pipeline.run({ source: Stream.make(Job.sync), channels: 3, open: recorder.open })
      const error = yield* Effect.flip(whileMillisPass(run))
      assert.deepStrictEqual(error, new Recorder.Failure("sync"))
      assertReleased(recorder)
    })
  )
})

/** Time passes only where the test says so. */
const manualClock = () => {
  let now = 0n
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => Number(now / 1_000_000n),
    currentTimeMillis: Effect.sync(() => Number(now / 1_000_000n)),
    currentTimeNanosUnsafe: () => now,
    currentTimeNanos: Effect.sync(() => now),
    monotonicTimeNanosUnsafe: () => now,
    monotonicTimeNanos: Effect.sync(() => now),
    sleep: () => Effect.never
  }
  return { clock, work: (nanos: bigint) => Effect.sync(() => void (now += nanos)) }
}

describe("the event loop", () => {
  it.live.prop(
    "gets its turn after 2 ms of work, whatever the number of channels",
    { channels: between(1, 64) },
    ({ channels }) =>
      Effect.gen(function* () {
        const { clock, work } = manualClock()
        const perTurn = [0]
        let counting = true
        const turn = () => {
          perTurn.push(0)
          if (counting) setImmediate(turn)
        }
        setImmediate(turn)
        const recorder = Recorder.make(({ operation }) => {
          if (operation !== "transfer") return Effect.void
          perTurn[perTurn.length - 1]! += 1
          return work(500_000n)
        })
        const source = Job.round(Stream.map(Stream.range(0, 499, 1), Recorder.batchOf))
        yield* Pipeline.run({ source, channels, queueDepth: 64, open: recorder.open }).pipe(
          Effect.provideService(Clock.Clock, clock)
        )
        counting = false
        // Four batches make 2 ms; the next turn may begin between two of the loop's own.
        assert.isAtMost(Math.max(...perTurn), 8)
      }),
    { arbitrary: { runs: 10 } }
  )
})

const errorOf = (reason: Cause.Reason<unknown>): unknown => {
  switch (reason._tag) {
    case "Fail":
      return reason.error
    case "Die":
      return reason.defect
    case "Interrupt":
      return "interrupted"
  }
}

/** Whatever began has ended, and what was opened was released, last of all. */
const assertReleased = (recorder: Recorder.Recorder): void => {
  const count = (matches: (event: Recorder.Event) => boolean) => recorder.where(matches).length
  assert.strictEqual(
    count((event) => event.when === "begin"),
    count((event) => event.when === "end")
  )
  const opened = new Set(recorder.events.flatMap(({ channel, operation }) => (operation === "open" ? [] : [channel])))
  const firstRelease = recorder.where((event) => event.operation === "release")[0] ?? recorder.events.length
  assert.deepStrictEqual(
    recorder.where(({ operation }) => operation !== "release").filter((at) => at > firstRelease),
    []
  )
  for (const channel of opened) {
    assert.strictEqual(
      count((event) => event.operation === "release" && event.when === "end" && event.channel === channel),
      1
    )
  }
}
