import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as MainChannel from "../../src/multifd/MainChannel.ts"
import * as RecordChannel from "../../src/multifd/RecordChannel.ts"
import * as TransferCounters from "../../src/transfer/TransferCounters.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as PageRuns from "../../src/ram/PageRuns.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"
import * as SocketStreams from "../support/wire/socketStreams.ts"
import * as Wire from "../support/wire/channel.ts"

const none = new Uint8Array(0)

const channelOver = (
  wire: Wire.Wire,
  described: RamArbitraries.Block,
  options: Partial<RecordChannel.Options> = {}
) => {
  const { idstr, pageSize, pages } = described
  const main = MainChannel.make({
    connection: wire.connection,
    machine: {
      configuration: { machine: "none", capabilities: [], targetPageBits: Math.log2(pageSize) },
      prelude: none,
      early: none,
      switchoverStart: false,
      footers: true,
      ramSectionId: 1
    },
    blocks: [{ idstr, usedLength: pages * pageSize }],
    marks: "none"
  })
  return Effect.map(RecordChannel.make({ main, ...options }), (channel) => ({ main, channel }))
}

describe("RecordChannel", () => {
  const input = {
    described: RamArbitraries.block(),
    detectZeroPages: Arbitrary.schema(Schema.Boolean)
  }
  it.effect.prop("what arrives is the block", input, ({ described, detectZeroPages }) =>
    Effect.gen(function* () {
      const { idstr, pageSize, pages } = described
      const memory = RamArbitraries.contents(described)
      const block = yield* MemoryPages.make({ idstr, memory, pageSize })
      const wire = Wire.make()
      const counters = TransferCounters.make()
      const { channel, main } = yield* channelOver(wire, described, { detectZeroPages, counters })
      yield* main.begin
      yield* main.mark
      const before = wire.bytes().length
      yield* channel.transfer({ block, offset: 0, length: memory.length, pages: PageRuns.all(pages) })
      yield* channel.sync
      yield* main.mark
      yield* main.endRam
      yield* channel.finish

      const arrived = new Uint8Array(memory.length).fill(0xee)
      let zeros = 0
      const { finding } = SocketStreams.read(wire.bytes(), {
        onEvent: (event) => {
          if (event._tag === "Pages") for (const { bytes, offset } of event.extents) arrived.set(bytes, offset)
          if (event._tag !== "Zeros") return
          for (const { length, offset } of event.extents) {
            arrived.fill(0, offset, offset + length)
            zeros += length
          }
        }
      })
      assert.isUndefined(finding)
      assert.isTrue(Buffer.from(memory).equals(arrived))
      assert.strictEqual(zeros, counters.zeroPages * pageSize)
      if (!detectZeroPages) assert.strictEqual(zeros, 0)
      assert.strictEqual(counters.normalPages + counters.zeroPages, pages)
      // What opens and closes PART and END is not the pages'.
      assert.strictEqual(counters.bytes, wire.bytes().length - before - 5 - 13 - 5 - 13)
      assert.isFalse(wire.isEnded(), "the main channel goes on")
    }).pipe(Effect.scoped)
  )
})
