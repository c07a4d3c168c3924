import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as PageRuns from "../../src/ram/PageRuns.ts"
import * as RamBlock from "../../src/ram/RamBlock.ts"
import * as ZeroPages from "../../src/ram/ZeroPages.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"

/** Pages that are not zero, of 256. */
const normal = (pattern: RamArbitraries.Pattern): number => {
  const block = { idstr: "a", pageSize: 4096, pages: 256, pattern, seed: 7 }
  return PageRuns.pages(ZeroPages.split(RamArbitraries.contents(block), 4096, PageRuns.all(256)).normal)
}

describe("RamArbitraries", () => {
  it.effect.prop("blocks can be carried together", { blocks: RamArbitraries.blocks() }, ({ blocks }) =>
    Effect.gen(function* () {
      assert.isAtLeast(blocks.length, 1)
      assert.strictEqual(new Set(blocks.map(({ idstr }) => idstr)).size, blocks.length)
      for (const block of blocks) yield* RamBlock.validate({ ...block, usedLength: block.pages * block.pageSize })
    })
  )

  it.prop("a description always gives the same bytes", { block: RamArbitraries.block() }, ({ block }) => {
    const bytes = RamArbitraries.contents(block)
    assert.strictEqual(bytes.length, block.pages * block.pageSize)
    const again = RamArbitraries.contents(block)
    assert.isTrue(Buffer.from(bytes.buffer).equals(again))
    assert.notStrictEqual(bytes.buffer, again.buffer)
  })

  it.prop("runs are runs, inside of their pages", { runs: RamArbitraries.pageRuns(64) }, ({ runs }) => {
    assert.isTrue(PageRuns.isPageRuns(runs))
    assert.isAtMost(PageRuns.end(runs), 64)
  })

  it("patterns are as sparse as they say", () => {
    assert.strictEqual(normal("zero"), 0)
    assert.strictEqual(normal("random"), 256)
    assert.strictEqual(normal("half"), 128)
    assert.strictEqual(normal("alternating"), 128)
    for (const pattern of ["sparse", "mixed", "first-byte", "last-byte"] as const) {
      assert.isAbove(normal(pattern), 0)
      assert.isBelow(normal(pattern), 256)
    }
    assert.isAtMost(normal("sparse"), 32)
  })
})
