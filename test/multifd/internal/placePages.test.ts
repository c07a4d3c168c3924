import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { placePages } from "../../../src/multifd/internal/placePages.ts"
import * as PageRuns from "../../../src/ram/PageRuns.ts"
import { between } from "../../support/arbitraries.ts"

const PS = 1024
const PAGES = 40

const page = between(0, PAGES - 1)
const packet = Arbitrary.all({
  normal: Arbitrary.array(page, { maxLength: 30 }),
  zero: Arbitrary.array(page, { maxLength: 30 }),
  coalescePages: between(0, 5)
})

const offsets = (pages: ReadonlyArray<number>) => pages.map((number) => number * PS)

const pagesOf = (runs: PageRuns.PageRuns): ReadonlyArray<number> => {
  const all: Array<number> = []
  PageRuns.forEach(runs, (first, count) => {
    for (let number = first; number < first + count; number++) all.push(number)
  })
  return all
}

const ascending = (pages: Iterable<number>) => [...new Set(pages)].toSorted((a, b) => a - b)

/** Fills the targets with pages whose every byte says at which place of the packet they arrived. */
const arrive = (targets: ReadonlyArray<Uint8Array>): number => {
  let arrived = 0
  for (const target of targets) {
    assert.strictEqual(target.length % PS, 0)
    for (let at = 0; at < target.length; at += PS) target.fill(++arrived, at, at + PS)
  }
  return arrived
}

describe("placePages", () => {
  it.effect.prop(
    "every page gets to its place, whatever the order, and nothing else is touched",
    { packet, hasArrived: Schema.Boolean },
    ({ hasArrived, packet }) =>
      Effect.sync(() => {
        const { coalescePages, normal, zero } = packet
        const memory = Buffer.alloc(60 * PS, 0xee)
        const payload = Buffer.alloc(normal.length * PS)
        const placed = placePages(
          { normal: offsets(normal), zero: offsets(zero) },
          { pageSize: PS, view: undefined, coalescePages },
          () => memory,
          hasArrived ? payload : undefined
        )
        const isThere = hasArrived && placed.targets.length === 0
        assert.strictEqual(arrive(isThere ? [payload] : placed.targets), normal.length)
        const { extents, gaps, ...runs } = placed.pages
        assert.isTrue([runs.normal, runs.zero, gaps].every(PageRuns.isPageRuns))
        assert.deepStrictEqual(pagesOf(runs.normal), ascending(normal))
        assert.deepStrictEqual(pagesOf(runs.zero), ascending(zero.filter((number) => !normal.includes(number))))

        const found = new Map<number, number>()
        let end = -1
        for (const { bytes, offset } of extents) {
          assert.isAbove(offset, end)
          end = offset + bytes.length
          for (let at = 0; at < bytes.length; at += PS) found.set((offset + at) / PS, bytes[at]!)
        }
        // What arrived last counts; gaps are pages that this very packet calls zero.
        for (const [number, value] of found) assert.strictEqual(value, normal.lastIndexOf(number) + 1)
        assert.deepStrictEqual(ascending(found.keys()), ascending([...normal, ...pagesOf(gaps)]))
        assert.deepStrictEqual(PageRuns.intersect(gaps, runs.zero), gaps)
        PageRuns.forEach(gaps, (_first, count) => assert.isAtMost(count, coalescePages))
      })
  )

  it.effect.prop("in memory, the places are the pages' own", { packet }, ({ packet: { normal, zero } }) =>
    Effect.sync(() => {
      const memory = new Uint8Array(PAGES * PS)
      const view = (offset: number, length: number) => memory.subarray(offset, offset + length)
      const sink = { pageSize: PS, view, coalescePages: 0 }
      const placed = placePages({ normal: offsets(normal), zero: offsets(zero) }, sink, () => assert.fail("no buffer"))
      arrive(placed.targets)
      for (let number = 0; number < PAGES; number++) {
        assert.strictEqual(memory[number * PS], normal.lastIndexOf(number) + 1)
      }
    })
  )

  it("pages that have arrived in the order in which they are stored stay where they are", () => {
    const payload = new Uint8Array(3 * PS)
    const sink = { pageSize: PS, view: undefined, coalescePages: 2 }
    const { pages, targets } = placePages(
      { normal: offsets([1, 2, 5]), zero: offsets([3]) },
      sink,
      () => assert.fail("no buffer"),
      payload
    )
    assert.deepStrictEqual(targets, [])
    assert.deepStrictEqual(
      pages.extents.map(({ bytes, offset }) => [offset / PS, bytes.buffer === payload.buffer, bytes.byteOffset / PS]),
      [
        [1, true, 0],
        [5, true, 2]
      ]
    )
  })

  it("pages that are neighbours are read at once, and written at once", () => {
    const memory = new Uint8Array(8 * PS)
    const sink = { pageSize: PS, view: undefined, coalescePages: 2 }
    const { pages, targets } = placePages(
      { normal: offsets([4, 5, 0, 1, 9]), zero: offsets([2, 3, 6]) },
      sink,
      () => memory
    )
    assert.deepStrictEqual(
      targets.map((target) => [target.byteOffset / PS, target.length / PS]),
      [
        [4, 2],
        [0, 2],
        [6, 1]
      ]
    )
    assert.deepStrictEqual(
      pages.extents.map(({ bytes, offset }) => [offset / PS, bytes.length / PS]),
      [
        [0, 6],
        [9, 1]
      ]
    )
    assert.deepStrictEqual(pages.gaps, [2, 2])
  })
})
