import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import * as PageRuns from "../../src/ram/PageRuns.ts"
import * as ZeroPages from "../../src/ram/ZeroPages.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"

/** A block and some of its pages. */
const some = Arbitrary.flatMap(RamArbitraries.block(), (block) =>
  Arbitrary.all({ block: Arbitrary.Constant(block), pages: RamArbitraries.pageRuns(block.pages) })
)

/** Byte by byte: slow, and plainly right. */
const expected = (data: Uint8Array, pageSize: number, pages: PageRuns.PageRuns): ZeroPages.Split => {
  const normal: Array<number> = []
  const zero: Array<number> = []
  PageRuns.forEach(pages, (first, count) => {
    for (let page = first; page < first + count; page++) {
      const isZero = data.subarray(page * pageSize, (page + 1) * pageSize).every((byte) => byte === 0)
      ;(isZero ? zero : normal).push(page)
    }
  })
  return { normal: PageRuns.fromPages(normal), zero: PageRuns.fromPages(zero) }
}

describe("ZeroPages", () => {
  it.prop("split agrees with looking at every byte", { some }, ({ some: { block, pages } }) => {
    const data = RamArbitraries.contents(block)
    const all = PageRuns.all(block.pages)
    assert.deepStrictEqual(ZeroPages.split(data, block.pageSize, all), expected(data, block.pageSize, all))
    assert.deepStrictEqual(ZeroPages.split(data, block.pageSize, pages), expected(data, block.pageSize, pages))
  })

  it.prop("split works on shared memory at any address", { block: RamArbitraries.block() }, ({ block }) => {
    const content = RamArbitraries.contents(block)
    const data = new Uint8Array(new SharedArrayBuffer(content.length + 9), 5, content.length)
    data.set(content)
    const all = PageRuns.all(block.pages)
    assert.deepStrictEqual(ZeroPages.split(data, block.pageSize, all), expected(content, block.pageSize, all))
  })

  it("split finds a single byte, wherever in the page it is", () => {
    const data = new Uint8Array(3 * 1024)
    for (let at = 1024; at < 2048; at++) {
      data[at] = 1
      assert.deepStrictEqual(ZeroPages.split(data, 1024, [0, 3]), { normal: [1, 1], zero: [0, 1, 2, 1] })
      data[at] = 0
    }
    assert.deepStrictEqual(ZeroPages.split(data, 1024, [0, 3]), { normal: [], zero: [0, 3] })
  })

  it("split does not take pages of equal bytes for zeros", () => {
    assert.deepStrictEqual(ZeroPages.split(new Uint8Array(4096).fill(7), 1024, [0, 4]), { normal: [0, 4], zero: [] })
  })

  it("split handles pages as large as it compares at once, and more of them", () => {
    const pageSize = 1024 * 1024
    const data = new Uint8Array(5 * pageSize)
    data[2 * pageSize - 1] = 1
    data[3 * pageSize] = 1
    assert.deepStrictEqual(ZeroPages.split(data, pageSize, [0, 5]), { normal: [1, 1, 3, 1], zero: [0, 1, 2, 1, 4, 1] })
  })

  const position = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1999 }))

  it.prop("isZero looks at its range, all of it and nothing else", [position, position, position], ([a, b, at]) => {
    const data = new Uint8Array(2000)
    data[at] = 0x80
    const start = Math.min(a, b)
    const end = Math.max(a, b)
    assert.strictEqual(ZeroPages.isZero(data, start, end), at < start || at >= end)
    assert.isFalse(ZeroPages.isZero(data))
  })

  it("no bytes at all are zero", () => {
    assert.isTrue(ZeroPages.isZero(new Uint8Array(0)))
    assert.isTrue(ZeroPages.isZero(new Uint8Array([1]), 1, 1))
  })
})
