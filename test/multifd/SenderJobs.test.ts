import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { ConnectionLostError } from "../../src/io/sockets/ConnectionError.ts"
import * as Job from "../../src/transfer/Job.ts"
import type { MainChannel } from "../../src/multifd/MainChannel.ts"
import * as Pipeline from "../../src/transfer/Pipeline.ts"
import * as SenderJobs from "../../src/multifd/SenderJobs.ts"
import * as TransferCounters from "../../src/transfer/TransferCounters.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import type { PageBatch } from "../../src/ram/PageBatch.ts"
import * as PageBitmap from "../../src/ram/PageBitmap.ts"
import * as PageRuns from "../../src/ram/PageRuns.ts"
import type * as RamBlock from "../../src/ram/RamBlock.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"
import * as Recorder from "../support/wire/recorder.ts"
import { between } from "../support/arbitraries.ts"

const PAGE = 4096

/** A main channel that only says what it was asked for. */
const mainChannel = (say: (what: string) => void, fails?: string) => {
  const step = (what: string) =>
    Effect.suspend(() => {
      say(what)
      return what === fails
        ? Effect.fail(new ConnectionLostError({ peer: "tcp:10.0.0.1:1", operation: "write", code: "EPIPE" }))
        : Effect.void
    })
  const listed: Array<number> = []
  const main: MainChannel = {
    begin: step("begin"),
    mark: step("mark"),
    zeros: ({ block, offset }, zero) => {
      PageRuns.forEach(zero, (first, count) => {
        for (let page = first; page < first + count; page++) listed.push(offset / block.pageSize + page)
      })
      return Effect.as(step("zeros"), 9 * PageRuns.pages(zero))
    },
    pages: () => Effect.die("channels carry the pages"),
    endRam: step("end of RAM"),
    write: () => step("write")
  }
  return { main, listed }
}

/** Of this test's own events, and those of the channels. */
const happen = (rounds: ReadonlyArray<number>, channels: number, queueDepth: number, fails?: string) =>
  Effect.gen(function* () {
    const log: Array<string> = []
    const recorder = Recorder.make((event) => Effect.sync(() => void log.push(event.operation)))
    const { main } = mainChannel((what) => log.push(what), fails)
    let number = 0
    const jobs = rounds.flatMap((batches) => [
      ...Array.from({ length: batches }, () => Job.batch(Recorder.batchOf(number++))),
      Job.sync
    ])
    const source = SenderJobs.withMarks(Stream.fromIterable(jobs, { chunkSize: 1 }), main, {
      started: Effect.sync(() => void log.push("started")),
      rest: Effect.sync(() => void log.push("rest"))
    })
    const exit = yield* Effect.exit(Pipeline.run({ source, channels, queueDepth, open: recorder.open }))
    return { exit, log }
  })

describe("SenderJobs.withMarks", () => {
  const input = {
    rounds: Arbitrary.array(between(0, 20), { maxLength: 5 }),
    channels: between(1, 5),
    queueDepth: between(1, 8)
  }
  it.effect.prop("every mark stands behind all SYNCs and in front of all pages", input, (shape) =>
    Effect.gen(function* () {
      const { log } = yield* happen(shape.rounds, shape.channels, shape.queueDepth)
      const times = (count: number, what: string) => Array.from({ length: count }, () => what)
      const barrier = times(shape.channels, "sync")
      assert.deepStrictEqual(log, [
        ...times(shape.channels, "open"),
        ...[...barrier, "mark", "started"],
        ...shape.rounds.flatMap((batches) => [...times(batches, "transfer"), ...barrier, "mark"]),
        ...[...barrier, "end of RAM", "rest"],
        ...times(shape.channels, "finish"),
        ...times(shape.channels, "release")
      ])
    })
  )

  it.effect("what a later round does to find its pages stands behind the mark of the round before", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const { main } = mainChannel((what) => log.push(what))
      const memory = new Uint8Array(PAGE)
      const block = yield* MemoryPages.make({ idstr: "m", memory })
      const round = Stream.fromIterable(
        [Job.batch({ block, offset: 0, length: PAGE, pages: PageRuns.all(1) }), Job.sync],
        { chunkSize: 1 }
      )
      const look = Stream.fromEffectDrain(Effect.sync(() => void log.push("look")))
      const rounds = Stream.concat(round, Stream.concat(look, round))
      const source = SenderJobs.withMarks(SenderJobs.withZeroRecords(rounds, main, {}), main, {
        started: Effect.void,
        rest: Effect.void
      })
      yield* Stream.runDrain(source)
      assert.deepStrictEqual(log, ["mark", "zeros", "mark", "look", "zeros", "mark", "end of RAM"])
    })
  )

  for (const fails of ["mark", "end of RAM"]) {
    it.effect(`what fails at the ${fails} fails the pipeline, and nothing moves after it`, () =>
      Effect.gen(function* () {
        const { exit, log } = yield* happen([3], 2, 4, fails)
        assert.strictEqual(exit._tag, "Failure")
        assert.deepStrictEqual(log.slice(log.indexOf(fails)), [fails, "release", "release"])
      })
    )
  }
})

describe("SenderJobs.withZeroRecords", () => {
  const run = (batches: ReadonlyArray<PageBatch<"unreadable">>) =>
    Effect.gen(function* () {
      const { listed, main } = mainChannel(() => {})
      const counters = TransferCounters.make()
      let busy = 0
      const watchdog = {
        working: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.suspend(() => (busy++, self))
      }
      const jobs = Stream.fromIterable([...batches.map(Job.batch), Job.sync], { chunkSize: 1 })
      const left = yield* Stream.runCollect(SenderJobs.withZeroRecords(jobs, main, { counters, watchdog }))
      return { busy, counters, left: Array.from(left), listed }
    })

  it.effect.prop(
    "zero pages go to the main channel, the rest to the channels",
    { block: RamArbitraries.block() },
    (input) =>
      Effect.gen(function* () {
        const { pageSize, pages } = input.block
        const memory = RamArbitraries.contents(input.block)
        const block = yield* MemoryPages.make({ idstr: "m", memory, pageSize })
        const isZero = (page: number) =>
          memory.subarray(page * pageSize, (page + 1) * pageSize).every((byte) => byte === 0)
        const half = Math.floor(pages / 2)
        const batch = (first: number, count: number) => ({
          block,
          offset: first * pageSize,
          length: count * pageSize,
          pages: PageRuns.all(count)
        })
        const { counters, left, listed } = yield* run([batch(0, half), batch(half, pages - half)])

        const all = Array.from({ length: pages }, (_, page) => page)
        assert.deepStrictEqual(listed, all.filter(isZero))
        const sent = left.flatMap((job) => {
          if (job._tag === "Sync") return []
          const found: Array<number> = []
          PageRuns.forEach(job.batch.pages, (first, count) => {
            for (let page = first; page < first + count; page++) found.push(job.batch.offset / pageSize + page)
          })
          assert.isAbove(found.length, 0, "no empty batch")
          return found
        })
        assert.deepStrictEqual(
          sent,
          all.filter((page) => !isZero(page))
        )
        assert.strictEqual(left.at(-1)?._tag, "Sync")
        assert.deepInclude(counters, { zeroPages: listed.length, normalPages: 0, bytes: 9 * listed.length })
      })
  )

  const unreadable = (present: PageBitmap.PageBitmap | undefined): RamBlock.Readable<"unreadable"> => ({
    idstr: "m",
    usedLength: 4 * PAGE,
    pageSize: PAGE,
    reader: { present, view: undefined, readInto: () => Effect.fail("unreadable" as const) }
  })
  const whole = (block: RamBlock.Readable<"unreadable">) => ({
    block,
    offset: 0,
    length: 4 * PAGE,
    pages: PageRuns.all(4)
  })

  it.effect("what a bitmap knows is not read", () =>
    Effect.gen(function* () {
      const present = PageBitmap.make(4)
      present.setRange(1, 2)
      const { left, listed } = yield* run([whole(unreadable(present))])
      assert.deepStrictEqual(listed, [0, 3])
      assert.deepInclude(left[0], { _tag: "Batch" })
    })
  )

  it.effect("what cannot be read fails as it does, while the watchdog does not wait", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Effect.flip(run([whole(unreadable(undefined))])), "unreadable")
    })
  )
})
