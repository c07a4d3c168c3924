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
