import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as PageRuns from "../../src/ram/PageRuns.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"

const COUNT = 200
const runs = RamArbitraries.pageRuns(COUNT)
const gap = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 }))

/** Page by page: slow, and plainly right. */
const pagesOf = (runs: PageRuns.PageRuns): ReadonlyArray<number> => {
  const pages: Array<number> = []
  PageRuns.forEach(runs, (first, count) => {
    for (let page = first; page < first + count; page++) pages.push(page)
  })
  return pages
}

const among = (keep: (page: number) => boolean): PageRuns.PageRuns =>
  PageRuns.fromPages(Array.from({ length: COUNT }, (_, page) => page).filter(keep))

describe("PageRuns", () => {
  it.prop("pages and runs say the same", { runs }, ({ runs }) => {
    const pages = pagesOf(runs)
    assert.isTrue(PageRuns.isPageRuns(runs))
    assert.deepStrictEqual(PageRuns.fromPages(pages), runs)
    assert.strictEqual(PageRuns.pages(runs), pages.length)
    assert.strictEqual(PageRuns.end(runs), (pages.at(-1) ?? -1) + 1)
  })

  const ranges = Schema.Array(
    Schema.Tuple([
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 180 })),
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 }))
    ])
  )

  it.prop("ranges in any order become runs", { ranges }, ({ ranges }) => {
    const inside = (page: number) => ranges.some(([first, count]) => page >= first && page < first + count)
    const runs = PageRuns.fromRanges(ranges.flat())
    assert.isTrue(PageRuns.isPageRuns(runs))
    assert.deepStrictEqual(runs, among(inside))
  })

  it.prop("set operations agree with sets of pages", { a: runs, b: runs }, ({ a, b }) => {
    const inA = new Set(pagesOf(a))
    const inB = new Set(pagesOf(b))
    assert.deepStrictEqual(
      PageRuns.complement(a, COUNT),
      among((page) => !inA.has(page))
    )
    assert.deepStrictEqual(
      PageRuns.intersect(a, b),
      among((page) => inA.has(page) && inB.has(page))
    )
    assert.deepStrictEqual(
      PageRuns.difference(a, b),
      among((page) => inA.has(page) && !inB.has(page))
    )
  })

  it.prop("merging fills the gaps of up to `gap` pages, and no others", { runs, gap }, ({ gap, runs }) => {
    const merged = PageRuns.merge(runs, gap)
    const filled = new Set(pagesOf(runs))
    for (let i = 2; i < runs.length; i += 2) {
      const from = runs[i - 2]! + runs[i - 1]!
      if (runs[i]! - from <= gap) for (let page = from; page < runs[i]!; page++) filled.add(page)
    }
    assert.deepStrictEqual(
      merged,
      among((page) => filled.has(page))
    )
  })

  it("all and empty", () => {
    assert.deepStrictEqual(PageRuns.all(0), PageRuns.empty)
    assert.deepStrictEqual(PageRuns.all(7), [0, 7])
    assert.deepStrictEqual(PageRuns.complement(PageRuns.empty, 7), [0, 7])
    assert.deepStrictEqual(PageRuns.complement([0, 7], 7), PageRuns.empty)
    assert.strictEqual(PageRuns.end(PageRuns.empty), 0)
  })

  it("tells runs from other numbers", () => {
    const others = [[1], [0, 0], [0, -1], [-1, 2], [0, 2, 2, 1], [4, 1, 0, 1], [0, 0.5], [Number.NaN, 1], [2 ** 53, 1]]
    for (const other of others) assert.isFalse(PageRuns.isPageRuns(other), JSON.stringify(other))
    assert.isTrue(PageRuns.isPageRuns([0, 2, 3, 1, 2 ** 40, 2 ** 40]))
  })
})
