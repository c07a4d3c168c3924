import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import * as PageBitmap from "../../src/ram/PageBitmap.ts"
import * as PageRuns from "../../src/ram/PageRuns.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"
import { between } from "../support/arbitraries.ts"

/** A range inside `pages` pages. */
const range = (pages: number) =>
  Arbitrary.map(Arbitrary.all([between(0, pages), between(0, pages)]), ([a, b]) => ({
    first: Math.min(a, b),
    count: Math.abs(a - b)
  }))

/** A bitmap's size and what is done to it. */
const history = Arbitrary.flatMap(between(0, 300), (pages) =>
  Arbitrary.all({
    pages: Arbitrary.Constant(pages),
    steps: Arbitrary.array(Arbitrary.all({ set: Arbitrary.schema(Schema.Boolean), range: range(pages) }), {
      maxLength: 12
    }),
    asked: range(pages)
  })
)

type History = typeof history extends Arbitrary.Arbitrary<infer A> ? A : never

/** What the steps lead to, page by page. */
const model = ({ pages, steps }: History): Array<boolean> => {
  const bits = Array.from({ length: pages }, () => false)
  for (const { range, set } of steps) bits.fill(set, range.first, range.first + range.count)
  return bits
}

const build = ({ pages, steps }: History, bitmap = PageBitmap.make(pages)): PageBitmap.PageBitmap => {
  for (const { range, set } of steps) {
    if (set) bitmap.setRange(range.first, range.count)
    else bitmap.clearRange(range.first, range.count)
  }
  return bitmap
}

/** Bytes at an odd address, full of ones, so that all padding is junk. */
const junk = (pages: number): PageBitmap.PageBitmap => {
  const bytes = new Uint8Array(PageBitmap.byteLength(pages) + 3).fill(0xff).subarray(3)
  const bitmap = PageBitmap.fromBytes(bytes, pages)
  bitmap.clearRange(0, pages)
  return bitmap
}

const pagesOf = (bits: ReadonlyArray<boolean>): ReadonlyArray<number> =>
  bits.flatMap((bit, page) => (bit ? [page] : []))

const agree = (bitmap: PageBitmap.PageBitmap, history: History): void => {
  const bits = model(history)
  const set = pagesOf(bits)
  const { count, first } = history.asked
  const end = first + count
  const orEnd = (page: number) => (page === -1 || page >= end ? end : page)
  assert.deepStrictEqual(
    bits.map((_, page) => bitmap.has(page)),
    bits
  )
  assert.strictEqual(bitmap.count(), set.length)
  assert.strictEqual(bitmap.lastSet(), set.at(-1) ?? -1)
  assert.deepStrictEqual(bitmap.runs(0, history.pages), PageRuns.fromPages(set))
  assert.deepStrictEqual(bitmap.runs(first, count), PageRuns.fromPages(pagesOf(bits.slice(first, end))))
  assert.strictEqual(bitmap.nextSet(first, end), orEnd(bits.indexOf(true, first)))
  assert.strictEqual(bitmap.nextClear(first, end), orEnd(bits.indexOf(false, first)))
  assert.strictEqual(
    bitmap.nextSet(first),
    bits.indexOf(true, first) === -1 ? history.pages : bits.indexOf(true, first)
  )
}

const read = (hex: string, pages: number): PageRuns.PageRuns =>
  PageBitmap.fromBytes(Buffer.from(hex, "hex"), pages).runs(0, pages)

describe("PageBitmap", () => {
  it.prop("agrees with a list of booleans", { history }, ({ history }) => {
    const bitmap = build(history)
    agree(bitmap, history)
    assert.isTrue(bitmap.paddingIsClear())
  })

  it.prop("ignores junk in the padding, at any alignment", { history }, ({ history }) => {
    const bitmap = build(history, junk(history.pages))
    agree(bitmap, history)
    assert.strictEqual(bitmap.paddingIsClear(), history.pages % 64 === 0)
    assert.isTrue(bitmap.bytes.length === 0 || history.pages % 8 === 0 || bitmap.bytes[history.pages >> 3]! >= 0x80)
  })

  it.prop("page i is bit i & 7 of byte i >> 3", { history }, ({ history }) => {
    const bytes = new Uint8Array(Math.ceil(history.pages / 64) * 8)
    for (const page of pagesOf(model(history))) bytes[page >> 3]! |= 1 << (page & 7)
    assert.deepStrictEqual(build(history).bytes, bytes)
  })

  it.prop("sees bytes that are changed under it", { history }, ({ history }) => {
    const bitmap = PageBitmap.make(history.pages)
    bitmap.bytes.set(build(history).bytes)
    agree(bitmap, history)
  })

  it.prop("sets and clears runs at once", { runs: RamArbitraries.pageRuns(200) }, ({ runs }) => {
    const bitmap = PageBitmap.make(300)
    bitmap.setRuns(70, runs)
    assert.deepStrictEqual(bitmap.runs(70, 200), runs)
    assert.strictEqual(bitmap.count(), PageRuns.pages(runs))
    bitmap.setRange(0, 300)
    bitmap.clearRuns(70, runs)
    assert.deepStrictEqual(bitmap.runs(70, 200), PageRuns.complement(runs, 200))
    assert.strictEqual(bitmap.count(), 300 - PageRuns.pages(runs))
  })

  it("reads bitmaps as QEMU writes them", () => {
    assert.deepStrictEqual(read("0300000000000000", 32), [0, 2])
    assert.deepStrictEqual(read("0000feffffffffff", 64), [17, 47])
    assert.deepStrictEqual(read("0000000000000000", 32), [])
  })

  it("takes whole 64-bit words", () => {
    assert.deepStrictEqual([0, 1, 64, 65, 2 ** 28].map(PageBitmap.byteLength), [0, 8, 8, 16, 2 ** 25])
    assert.throws(() => PageBitmap.fromBytes(new Uint8Array(7), 1), RangeError)
    assert.throws(() => PageBitmap.fromBytes(new Uint8Array(16), 64), RangeError)
  })

  it("refuses pages outside of the block", () => {
    const bitmap = PageBitmap.make(10)
    const outside: ReadonlyArray<() => unknown> = [
      () => bitmap.has(10),
      () => bitmap.has(-1),
      () => bitmap.setRange(5, 6),
      () => bitmap.setRange(-1, 2),
      () => bitmap.clearRange(11, 0),
      () => bitmap.setRange(3, -1),
      () => bitmap.setRange(Number.NaN, 1),
      () => bitmap.runs(0, 11),
      () => bitmap.nextSet(11),
      () => bitmap.nextClear(0, 11),
      () => bitmap.setRuns(9, [0, 1, 2, 1])
    ]
    for (const attempt of outside) assert.throws(attempt, RangeError)
    assert.strictEqual(bitmap.paddingIsClear(), true)
  })

  it("works on page numbers that 32-bit arithmetic cannot hold", () => {
    const pages = 2 ** 32 + 1000
    const bitmap = PageBitmap.make(pages)
    bitmap.setRange(2 ** 32 - 3, 9)
    bitmap.setRange(2 ** 31 - 1, 2)
    bitmap.clearRange(2 ** 32, 1)
    assert.isTrue(bitmap.has(2 ** 32 - 1))
    assert.isFalse(bitmap.has(2 ** 32))
    assert.isFalse(bitmap.has(5))
    assert.strictEqual(bitmap.nextSet(2 ** 31 - 100), 2 ** 31 - 1)
    assert.strictEqual(bitmap.nextClear(2 ** 32 + 1), 2 ** 32 + 6)
    assert.strictEqual(bitmap.lastSet(), 2 ** 32 + 5)
    assert.deepStrictEqual(bitmap.runs(2 ** 32 - 100, 1100), [97, 3, 101, 5])
  })
})
