import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { cutPackets } from "../../../src/multifd/internal/cutPackets.ts"
import type { LoadedBatch } from "../../../src/ram/PageBatch.ts"
import * as PageRuns from "../../../src/ram/PageRuns.ts"
import * as RamArbitraries from "../../../src/testing/RamArbitraries.ts"
import { between } from "../../support/arbitraries.ts"

const PAGE = 1024
const OFFSET = 5 * PAGE
const PAGES = 300

/** A batch whose pages each hold their own number, low byte first. */
const batchOf = (pages: PageRuns.PageRuns, zero: PageRuns.PageRuns): LoadedBatch<unknown> => {
  const data = new Uint8Array(PAGES * PAGE)
  for (let page = 0; page < PAGES; page++) data.fill(page, page * PAGE, (page + 1) * PAGE)
  const block = {
    idstr: "m",
    usedLength: OFFSET + PAGES * PAGE,
    pageSize: PAGE,
    reader: { present: undefined, view: undefined, readInto: () => Effect.die("nobody reads it") }
  }
  return { block, offset: OFFSET, length: data.length, pages, data, zero, normal: PageRuns.difference(pages, zero) }
}

const offsetsOf = (runs: PageRuns.PageRuns): ReadonlyArray<number> => {
  const offsets: Array<number> = []
  PageRuns.forEach(runs, (first, count) => {
    for (let page = first; page < first + count; page++) offsets.push(OFFSET + page * PAGE)
  })
  return offsets
}

describe("cutPackets", () => {
  const input = {
    pages: RamArbitraries.pageRuns(PAGES),
    zero: RamArbitraries.pageRuns(PAGES),
    capacity: between(1, 130)
  }
  it.effect.prop("each page once and in order, in as few packets as can be", input, ({ capacity, pages, zero }) =>
    Effect.sync(() => {
      const batch = batchOf(pages, PageRuns.intersect(pages, zero))
      const packets = [...cutPackets(batch, capacity)]
      assert.deepStrictEqual(
        packets.flatMap((packet) => packet.normal),
        offsetsOf(batch.normal)
      )
      assert.deepStrictEqual(
        packets.flatMap((packet) => packet.zero),
        offsetsOf(batch.zero)
      )
      assert.lengthOf(packets, Math.ceil(PageRuns.pages(pages) / capacity))
      for (const { normal, runs, zero } of packets) {
        assert.isAtMost(normal.length + zero.length, capacity)
        const bytes = Buffer.concat(runs)
        assert.strictEqual(bytes.length, normal.length * PAGE)
        for (const [i, offset] of normal.entries()) {
          assert.strictEqual(bytes[i * PAGE], ((offset - OFFSET) / PAGE) % 256)
        }
      }
    })
  )

  it("neighbours are one view of the batch's own memory", () => {
    const batch = batchOf([0, 10], [4, 2])
    const [packet, ...others] = cutPackets(batch, 128)
    assert.lengthOf(others, 0)
    assert.deepStrictEqual(
      packet!.runs.map((run) => [run.byteOffset / PAGE, run.length / PAGE]),
      [
        [0, 4],
        [6, 4]
      ]
    )
    assert.isTrue(packet!.runs.every((run) => run.buffer === batch.data.buffer))
  })

  it("a packet covers a stretch of the block, normal and zero pages alike", () => {
    const packets = [...cutPackets(batchOf([0, 6], [1, 1, 3, 1]), 2)]
    const pages = packets.map(({ normal, zero }) =>
      [...normal, ...zero].map((offset) => (offset - OFFSET) / PAGE).toSorted()
    )
    assert.deepStrictEqual(pages, [
      [0, 1],
      [2, 3],
      [4, 5]
    ])
  })

  it("nothing gives no packet", () => {
    assert.deepStrictEqual([...cutPackets(batchOf([], []), 128)], [])
  })
})
