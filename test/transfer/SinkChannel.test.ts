import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as RamScanner from "../../src/ram/RamScanner.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as FilePages from "../../src/io/files/FilePages.ts"
import * as PositionalFile from "../../src/io/files/PositionalFile.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"
import * as Job from "../../src/transfer/Job.ts"
import * as PageSink from "../../src/transfer/PageSink.ts"
import * as Pipeline from "../../src/transfer/Pipeline.ts"
import * as RateLimit from "../../src/transfer/RateLimit.ts"
import * as SinkChannel from "../../src/transfer/SinkChannel.ts"
import type { PageRuns } from "../../src/ram/PageRuns.ts"
import type { RamBlock } from "../../src/ram/RamBlock.ts"

const PAGE = 1024
const PAGES = 40

/** Memory whose pages of `runs` are full of their number, and whose others are zero. */
const memoryOf = (runs: PageRuns): Uint8Array => {
  const memory = new Uint8Array(PAGES * PAGE)
  for (let at = 0; at < runs.length; at += 2)
    for (let page = runs[at]!; page < runs[at]! + runs[at + 1]!; page++)
      memory.fill(page + 1, page * PAGE, (page + 1) * PAGE)
  return memory
}

const copy = <E>(source: RamBlock, target: RamBlock<E>, options: { channels: number; gap: number }) =>
  Effect.gen(function* () {
    const sink = PageSink.toBlock(target, { coalescePages: options.gap })
    const rateLimit = yield* RateLimit.make()
    yield* Pipeline.run({
      source: Job.round(RamScanner.scan([source], { batchSize: 4 * PAGE })),
      channels: options.channels,
      queueDepth: 2,
      open: (id) => Effect.succeed(SinkChannel.make({ id, sinks: new Map([[sink.idstr, sink]]), rateLimit }))
    })
    yield* sink.finish
  })

const inputs = {
  runs: RamArbitraries.pageRuns(PAGES),
  options: Arbitrary.all({
    channels: Arbitrary.schema(Schema.Literals([1, 3])),
    gap: Arbitrary.schema(Schema.Literals([0, 2, 8]))
  })
}

describe("a channel through sinks", () => {
  it.effect.prop("copies every page into memory, whatever was there", inputs, ({ options, runs }) =>
    Effect.gen(function* () {
      const [from, to] = [memoryOf(runs), new Uint8Array(PAGES * PAGE).fill(0xee)]
      const make = (memory: Uint8Array) => MemoryPages.make({ idstr: "ram", memory, pageSize: PAGE })
      yield* copy(yield* make(from), yield* make(to), options)
      assert.deepStrictEqual(to, from)
    })
  )

  it.effect.prop("copies every page into a file", inputs, ({ options, runs }) =>
    Effect.gen(function* () {
      const from = memoryOf(runs)
      const file = yield* PositionalFile.open("/ram", { access: "read-write", create: "exclusive" })
      yield* file.write(0, new Uint8Array(PAGES * PAGE).fill(0xee))
      const target = yield* FilePages.make({ idstr: "ram", path: "/ram", pageSize: PAGE, access: "read-write" })
      const source = yield* MemoryPages.make({ idstr: "ram", memory: from, pageSize: PAGE })
      yield* copy(source, target, options)
      const found = new Uint8Array(PAGES * PAGE)
      yield* file.read(0, found)
      assert.deepStrictEqual(found, from)
    }).pipe(Effect.scoped, Effect.provide(MemoryDisk.make().layer))
  )
})
