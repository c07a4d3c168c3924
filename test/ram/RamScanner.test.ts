import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { PageBatch } from "../../src/ram/PageBatch.ts"
import * as PageBitmap from "../../src/ram/PageBitmap.ts"
import * as PageRuns from "../../src/ram/PageRuns.ts"
import type * as RamBlock from "../../src/ram/RamBlock.ts"
import * as RamScanner from "../../src/ram/RamScanner.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"

const MIB = 1024 * 1024

/** A block that may be looked up in a bitmap, and never read. */
const blockOf = (
  shape: { readonly idstr?: string; readonly pageSize: number; readonly pages: number },
  present?: PageBitmap.PageBitmap
): RamBlock.Readable => ({
  idstr: shape.idstr ?? "pc.ram",
  usedLength: shape.pages * shape.pageSize,
  pageSize: shape.pageSize,
  reader: { present, view: undefined, readInto: () => Effect.die("a scan reads nothing") }
})

const bitmapOf = (pages: number, runs: PageRuns.PageRuns): PageBitmap.PageBitmap => {
  const bitmap = PageBitmap.make(pages)
  bitmap.setRuns(0, runs)
  return bitmap
}

/** Blocks of which some have a bitmap. */
const blocks = Arbitrary.array(
  Arbitrary.flatMap(RamArbitraries.block({ maxPages: 2000 }), (block) =>
    Arbitrary.map(
      Arbitrary.all([Arbitrary.schema(Schema.Boolean), RamArbitraries.pageRuns(block.pages)]),
      ([known, runs]) => ({ ...block, runs: known ? runs : undefined })
    )
  ),
  { maxLength: 3 }
)

type Blocks = typeof blocks extends Arbitrary.Arbitrary<infer A> ? A : never

const readable = (blocks: Blocks): ReadonlyArray<RamBlock.Readable> =>
  blocks.map((block) => blockOf(block, block.runs && bitmapOf(block.pages, block.runs)))

const batchSize = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 300_000 }))

const collect = (blocks: ReadonlyArray<RamBlock.Readable>, options?: RamScanner.Options) =>
  Stream.runCollect(RamScanner.scan(blocks, options))

/** Whether the bitmap says that the batch has nothing to load. */
const isAbsent = ({ block, length, offset }: PageBatch): boolean => {
  const { present } = block.reader
  const { pageSize } = block
  return present !== undefined && present.runs(offset / pageSize, length / pageSize).length === 0
}

describe("RamScanner", () => {
  it.effect.prop("every page of every block once, in order", { blocks, batchSize }, ({ batchSize, blocks }) =>
    Effect.gen(function* () {
      const scanned = readable(blocks)
      const batches = yield* collect(scanned, { batchSize })
      let at = 0
      for (const block of scanned) {
        let offset = 0
        for (; at < batches.length && batches[at]!.block === block; at++) {
          const batch = batches[at]!
          assert.strictEqual(batch.offset, offset)
          assert.deepStrictEqual(batch.pages, PageRuns.all(batch.length / block.pageSize))
          offset += batch.length
        }
        assert.strictEqual(offset, block.usedLength)
      }
      assert.strictEqual(at, batches.length)
    })
  )

  it.effect.prop("batches are as large as allowed", { blocks, batchSize }, ({ batchSize, blocks }) =>
    Effect.gen(function* () {
      for (const batch of yield* collect(readable(blocks), { batchSize })) {
        const { pageSize, usedLength } = batch.block
        const size = Math.max(pageSize, batchSize - (batchSize % pageSize))
        assert.strictEqual(batch.offset % size, 0)
        assert.isAtMost(batch.length, isAbsent(batch) ? RamScanner.maxZeroBatchSize : size)
        assert.isTrue(batch.length % size === 0 || batch.offset + batch.length === usedLength)
      }
    })
  )

  it.effect.prop("no two batches without a present page follow each other", { blocks, batchSize }, (given) =>
    Effect.gen(function* () {
      const batches = yield* collect(readable(given.blocks), { batchSize: given.batchSize })
      for (let i = 1; i < batches.length; i++) {
        const sameBlock = batches[i]!.block === batches[i - 1]!.block
        assert.isFalse(sameBlock && isAbsent(batches[i]!) && isAbsent(batches[i - 1]!))
      }
    })
  )

  it.effect("batches are of 1 MiB unless told otherwise", () =>
    Effect.gen(function* () {
      const batches = yield* collect([blockOf({ pageSize: 4096, pages: 600 })])
      assert.deepStrictEqual(
        batches.map(({ length, offset }) => [offset, length]),
        [
          [0, MIB],
          [MIB, MIB],
          [2 * MIB, 88 * 4096]
        ]
      )
    })
  )

  it.effect("is lazy: a block of 2^52 bytes is begun at once, one batch at a time", () =>
    Effect.gen(function* () {
      const block = blockOf({ pageSize: 4096, pages: 2 ** 40 })
      const sizes = yield* RamScanner.scan([block]).pipe(
        Stream.chunks,
        Stream.take(3),
        Stream.map((chunk) => chunk.length),
        Stream.runCollect
      )
      assert.deepStrictEqual(sizes, [1, 1, 1])
    })
  )

  it.effect("can be run again", () =>
    Effect.gen(function* () {
      const stream = RamScanner.scan([blockOf({ pageSize: 4096, pages: 600 })])
      assert.deepStrictEqual(yield* Stream.runCollect(stream), yield* Stream.runCollect(stream))
    })
  )

  it.effect("1 TiB without a page is a matter of 64 MiB steps", () =>
    Effect.gen(function* () {
      const pages = 2 ** 28
      const sparse = bitmapOf(pages, [1000, 1, 2 ** 27, 3])
      const batches = yield* collect([blockOf({ pageSize: 4096, pages }, sparse)])
      assert.deepStrictEqual(
        batches.filter((batch) => !isAbsent(batch)).map(({ length, offset }) => [offset, length]),
        [
          [3 * MIB, MIB],
          [2 ** 39, MIB]
        ]
      )
      assert.isAtMost(batches.length, 2 ** 40 / RamScanner.maxZeroBatchSize + 4)
    })
  )

  it.effect("batches above 64 MiB are not cut, nor joined", () =>
    Effect.gen(function* () {
      const pages = 2 ** 16
      const block = blockOf({ pageSize: 4096, pages }, PageBitmap.make(pages))
      const batches = yield* collect([block], { batchSize: 96 * MIB })
      assert.deepStrictEqual(
        batches.map(({ length }) => length / MIB),
        [96, 96, 64]
      )
    })
  )
})

describe("scanDirty", () => {
  const coalescePages = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 6 }))

  /** Blocks with dirty pages. Half of them lie in memory that can be viewed. */
  const dirtyBlocks = Arbitrary.array(
    Arbitrary.flatMap(RamArbitraries.block({ maxPages: 2000 }), (block) =>
      Arbitrary.map(
        Arbitrary.all([Arbitrary.schema(Schema.Boolean), RamArbitraries.pageRuns(block.pages)]),
        ([viewed, runs]) => ({ ...block, viewed, runs })
      )
    ),
    { maxLength: 3 }
  )

  const make = (described: typeof dirtyBlocks extends Arbitrary.Arbitrary<infer A> ? A : never) => {
    const blocks = described.map((block, index): RamBlock.Readable => {
      const { reader, ...shape } = blockOf({ ...block, idstr: `block ${index}` })
      return { ...shape, reader: block.viewed ? { ...reader, view: () => new Uint8Array(0) } : reader }
    })
    const dirty = new Map<string, PageBitmap.PageBitmap>(
      described.map((block, index) => [`block ${index}`, bitmapOf(block.pages, block.runs)] as const)
    )
    return { blocks, dirty }
  }

  const one = (pages: number, runs: PageRuns.PageRuns) => ({
    blocks: [blockOf({ pageSize: 4096, pages })],
    dirty: new Map([["pc.ram", bitmapOf(pages, runs)]])
  })

  const rangesOf = (batches: ReadonlyArray<PageBatch>) =>
    batches.map(({ length, offset, pages }) => ({ page: offset / 4096, pages, length: length / 4096 }))

  it.effect.prop(
    "every dirty page once, in order, clean ones only between them, and nothing stays dirty",
    { blocks: dirtyBlocks, batchSize, coalescePages },
    ({ batchSize, blocks: described, coalescePages }) =>
      Effect.gen(function* () {
        const { blocks, dirty } = make(described)
        const batches = yield* Stream.runCollect(RamScanner.scanDirty(blocks, dirty, { batchSize, coalescePages }))
        for (const [index, block] of blocks.entries()) {
          const own = batches.filter((batch) => batch.block === block)
          const found = bitmapOf(described[index]!.pages, [])
          let end = 0
          for (const { length, offset, pages } of own) {
            assert.isAtLeast(offset, end)
            end = offset + length
            assert.isTrue(PageRuns.isPageRuns(pages))
            assert.strictEqual(pages[0], 0)
            assert.strictEqual(length, PageRuns.end(pages) * block.pageSize)
            assert.isAtMost(length, Math.max(batchSize, block.pageSize))
            for (let i = 2; i < pages.length; i += 2) {
              assert.isAbove(pages[i]! - pages[i - 2]! - pages[i - 1]!, coalescePages)
            }
            found.setRuns(offset / block.pageSize, pages)
          }
          const expected = bitmapOf(described[index]!.pages, described[index]!.runs)
          if (coalescePages === 0) assert.deepStrictEqual(found.bytes, expected.bytes)
          else assert.isTrue(expected.bytes.every((byte, at) => (byte & found.bytes[at]!) === byte))
          assert.strictEqual(dirty.get(block.idstr)!.count(), 0)
        }
        const order = batches.map(({ block }) => blocks.indexOf(block))
        assert.deepStrictEqual(
          order,
          order.toSorted((a, b) => a - b)
        )
      })
  )

  it.effect("a page is clean when its batch is there, and what becomes dirty behind it stays so", () =>
    Effect.gen(function* () {
      const { blocks, dirty } = one(8, [0, 8])
      const bitmap = dirty.get("pc.ram")!
      const seen: Array<number> = []
      yield* Stream.runForEach(RamScanner.scanDirty(blocks, dirty, { batchSize: 2 * 4096 }), ({ offset }) =>
        Effect.sync(() => {
          seen.push(offset / 4096)
          assert.strictEqual(bitmap.nextSet(offset / 4096), Math.min(8, offset / 4096 + 2))
          bitmap.setRange(0, offset === 0 ? 0 : 1)
        })
      )
      assert.deepStrictEqual(seen, [0, 2, 4, 6])
      assert.deepStrictEqual(bitmap.runs(0, 8), [0, 1])
    })
  )

  it.effect("gaps of more than 64 KiB are read only where a look costs no reading", () =>
    Effect.gen(function* () {
      const near = one(100, [3, 2, 21, 1])
      assert.deepStrictEqual(rangesOf(yield* Stream.runCollect(RamScanner.scanDirty(near.blocks, near.dirty))), [
        { page: 3, pages: [0, 2, 18, 1], length: 19 }
      ])
      const far = one(100, [3, 2, 22, 1])
      assert.deepStrictEqual(rangesOf(yield* Stream.runCollect(RamScanner.scanDirty(far.blocks, far.dirty))), [
        { page: 3, pages: [0, 2], length: 2 },
        { page: 22, pages: [0, 1], length: 1 }
      ])
      const viewed = one(100, [3, 2, 90, 1])
      const blocks = viewed.blocks.map((block) => ({
        ...block,
        reader: { ...block.reader, view: () => new Uint8Array(0) }
      }))
      assert.deepStrictEqual(rangesOf(yield* Stream.runCollect(RamScanner.scanDirty(blocks, viewed.dirty))), [
        { page: 3, pages: [0, 2, 87, 1], length: 88 }
      ])
    })
  )

  it.effect("small gaps become part of the batch", () =>
    Effect.gen(function* () {
      const { blocks, dirty } = one(100, [3, 2, 8, 1, 13, 1])
      const batches = yield* Stream.runCollect(RamScanner.scanDirty(blocks, dirty, { coalescePages: 3 }))
      assert.deepStrictEqual(rangesOf(batches), [{ page: 3, pages: [0, 6, 10, 1], length: 11 }])
    })
  )
})
