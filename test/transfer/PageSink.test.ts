import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as PageDigests from "../../src/format/seal/PageDigests.ts"
import { Extents } from "../../src/format/seal/SealedExtents.ts"
import * as PositionalFile from "../../src/io/files/PositionalFile.ts"
import * as FilePages from "../../src/io/files/FilePages.ts"
import { placePages } from "../../src/multifd/internal/placePages.ts"
import * as ImageSink from "../../src/image/ImageSink.ts"
import * as PageSink from "../../src/transfer/PageSink.ts"
import * as TransferCounters from "../../src/transfer/TransferCounters.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as PageBitmap from "../../src/ram/PageBitmap.ts"
import * as PageRuns from "../../src/ram/PageRuns.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"

const PS = 1024
const PAGES = 24
const SIZE = PAGES * PS

/** Pages that arrive together: the normal ones full of a byte, the others zero. */
interface Arrival {
  readonly normal: PageRuns.PageRuns
  readonly zero: PageRuns.PageRuns
}

const arrivals = Arbitrary.array(
  Arbitrary.all({ normal: RamArbitraries.pageRuns(PAGES), zero: RamArbitraries.pageRuns(PAGES) }),
  { maxLength: 6 }
)

const offsetsOf = (runs: PageRuns.PageRuns): ReadonlyArray<number> => {
  const all: Array<number> = []
  PageRuns.forEach(runs, (first, count) => {
    for (let page = first; page < first + count; page++) all.push(page * PS)
  })
  return all
}

/** Stores arrivals one after the other, as a channel does. */
const storeAll = <E>(sink: PageSink.PageSink<E>, arrivals: ReadonlyArray<Arrival>) =>
  Effect.forEach(
    arrivals,
    ({ normal, zero }, index) => {
      const packet = { normal: offsetsOf(normal), zero: offsetsOf(zero) }
      const { pages, targets } = placePages(packet, sink, () => new Uint8Array(2 * SIZE))
      for (const target of targets) target.fill(index + 1)
      return sink.store(pages)
    },
    { discard: true }
  )

/** What memory holds after the arrivals; what none of them spoke of is as `begin` says. */
const expected = (arrivals: ReadonlyArray<Arrival>, begin: number): Buffer => {
  const memory = Buffer.alloc(SIZE, begin)
  arrivals.forEach(({ normal, zero }, index) => {
    PageRuns.forEach(zero, (first, count) => memory.fill(0, first * PS, (first + count) * PS))
    PageRuns.forEach(normal, (first, count) => memory.fill(index + 1, first * PS, (first + count) * PS))
  })
  return memory
}

const normalPages = (arrivals: ReadonlyArray<Arrival>) =>
  arrivals.reduce((sum, { normal }) => sum + PageRuns.pages(normal), 0)

describe("a sink for a RAM block", () => {
  it.effect.prop("in used memory leaves nothing stale, also where nobody spoke of it", { arrivals }, ({ arrivals }) =>
    Effect.gen(function* () {
      const memory = Buffer.alloc(SIZE, 0xa5)
      const counters = TransferCounters.make()
      const block = yield* MemoryPages.make({ idstr: "m", memory, pageSize: PS })
      const sink = PageSink.toBlock(block, { coalescePages: 4, counters })
      yield* storeAll(sink, arrivals)
      assert.isTrue(memory.equals(expected(arrivals, 0xa5)))
      yield* sink.finish
      const final = expected(arrivals, 0)
      assert.isTrue(memory.equals(final))
      assert.strictEqual(counters.normalPages, normalPages(arrivals))
      const page = Buffer.alloc(PS)
      yield* sink.read!(3 * PS, page)
      assert.isTrue(page.equals(final.subarray(3 * PS, 4 * PS)))
    })
  )

  it.effect.prop("in fresh memory zeroes only what had been written", { arrivals }, ({ arrivals }) =>
    Effect.gen(function* () {
      const memory = Buffer.alloc(SIZE)
      const block = yield* MemoryPages.make({ idstr: "m", memory, pageSize: PS, fresh: true })
      const written = PageBitmap.make(PAGES)
      const writer = {
        ...block.writer,
        zero: (offset: number, length: number) => {
          const [first, end] = [offset / PS, (offset + length) / PS]
          assert.strictEqual(written.nextClear(first, end), end)
          return block.writer.zero(offset, length)
        }
      }
      const sink = PageSink.toBlock({ ...block, writer }, { coalescePages: 4 })
      const stored: Array<Arrival> = []
      for (const arrival of arrivals) {
        stored.push(arrival)
        yield* storeAll(sink, [arrival])
        written.setRuns(0, arrival.normal)
      }
      yield* sink.finish
      // Each was stored as the first one.
      assert.isTrue(memory.equals(expected(stored, 0).map((byte) => Math.min(byte, 1))))
    })
  )

  it.effect.prop("in a file, through large writes", { arrivals }, ({ arrivals }) =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      yield* Effect.gen(function* () {
        yield* createFile("/ram", Buffer.alloc(SIZE, 0xa5))
        const block = yield* FilePages.make({ idstr: "m", path: "/ram", pageSize: PS, access: "read-write" })
        const sink = PageSink.toBlock(block, { coalescePages: 4 })
        assert.isUndefined(sink.view)
        yield* storeAll(sink, arrivals)
        yield* sink.finish
        const memory = Buffer.alloc(SIZE)
        yield* block.reader.readInto(0, memory)
        assert.isTrue(memory.equals(expected(arrivals, 0)))
        const page = Buffer.alloc(PS)
        yield* sink.read!(5 * PS, page)
        assert.isTrue(page.equals(memory.subarray(5 * PS, 6 * PS)))
      }).pipe(Effect.scoped, Effect.provide(disk.layer))
    })
  )

  it("that can only be written cannot be read back", () => {
    const writer = {
      fresh: false,
      view: undefined,
      write: () => Effect.void,
      zero: () => Effect.void,
      sync: Effect.void
    }
    const sink = PageSink.toBlock({ idstr: "m", pageSize: PS, usedLength: SIZE, writer }, { coalescePages: 0 })
    assert.isUndefined(sink.read)
  })
})

it.effect("a sink for memory that can only be written reads it where it is", () =>
  Effect.gen(function* () {
    const memory = Buffer.alloc(SIZE, 7)
    const { reader: _, ...block } = yield* MemoryPages.make({ idstr: "m", memory, pageSize: PS })
    const sink = PageSink.toBlock(block, { coalescePages: 0 })
    memory.fill(9, 3 * PS, 4 * PS)
    const page = Buffer.alloc(2 * PS)
    yield* sink.read!(3 * PS, page)
    assert.isTrue(page.equals(memory.subarray(3 * PS, 5 * PS)))
  })
)

const createFile = Effect.fnUntraced(function* (path: string, content: Uint8Array) {
  const file = yield* PositionalFile.open(path, { access: "write", create: "exclusive" })
  yield* file.write(0, content)
})

describe("a sink for an image", () => {
  it.effect.prop(
    "writes normal pages, and clears the bits of others whatever was there",
    { arrivals },
    ({ arrivals }) =>
      Effect.gen(function* () {
        const disk = MemoryDisk.make()
        yield* Effect.gen(function* () {
          const file = yield* PositionalFile.open("/image", { access: "read-write", create: "exclusive" })
          const target = { pagesOffset: 2 * PS, bitmap: PageBitmap.make(PAGES) }
          const shape = { idstr: "m", pageSize: PS, usedLength: SIZE }
          let told = 0
          const written = (bytes: number) => {
            assert.isAbove(bytes, 0)
            told += bytes
          }
          const counters = TransferCounters.make()
          const sink = ImageSink.make({ shape, file, target, coalescePages: 3, counters, written })
          yield* storeAll(sink, arrivals)

          const final = expected(arrivals, 0)
          const region = Buffer.alloc(2 * PS + SIZE)
          yield* file.read(0, region)
          const page = Buffer.alloc(PS)
          for (let number = 0; number < PAGES; number++) {
            const bytes = final.subarray(number * PS, (number + 1) * PS)
            const inFile = region.subarray(2 * PS + number * PS, 2 * PS + (number + 1) * PS)
            assert.strictEqual(target.bitmap.has(number), bytes[0] !== 0)
            if (bytes[0] !== 0) assert.isTrue(inFile.equals(bytes))
            yield* sink.read!(number * PS, page.fill(0xee))
            assert.isTrue(page.equals(bytes))
          }
          assert.strictEqual(counters.bytes, told)
          assert.strictEqual(counters.normalPages, normalPages(arrivals))
        }).pipe(Effect.scoped, Effect.provide(disk.layer))
      })
  )

  it.effect.prop(
    "remembers the digests of the pages that it wrote, and of no gap between them",
    { arrivals },
    ({ arrivals }) =>
      Effect.gen(function* () {
        const file = yield* PositionalFile.open("/image", { access: "read-write", create: "exclusive" })
        const shape = { idstr: "m", pageSize: PS, usedLength: SIZE }
        const bitmap = PageBitmap.make(PAGES)
        const digests = PageDigests.make({ shape, bitmap, algorithm: "crc32", extentSize: 64 * PS })
        const target = { pagesOffset: 2 * PS, bitmap, digests }
        yield* storeAll(ImageSink.make({ shape, file, target, coalescePages: 3 }), arrivals)
        const extents = new Extents({ algorithm: "crc32", idstr: "m", pagesPerExtent: 64, bitmap })
        assert.deepStrictEqual(digests.extents(), extents.digestOf(0, expected(arrivals, 0), PS))
      }).pipe(Effect.scoped, Effect.provide(MemoryDisk.make().layer))
  )

  it.effect("names the block where the disk fails", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make({ capacity: 1 })
      yield* Effect.gen(function* () {
        const file = yield* PositionalFile.open("/image", { access: "read-write", create: "exclusive" })
        const target = { pagesOffset: 0, bitmap: PageBitmap.make(PAGES) }
        const sink = ImageSink.make({
          shape: { idstr: "m", pageSize: PS, usedLength: SIZE },
          file,
          target,
          coalescePages: 0
        })
        const error = yield* Effect.flip(storeAll(sink, [{ normal: [2, 9], zero: [] }]))
        assert.strictEqual(error._tag, "NoSpaceError")
        assert.include(error.message, "(ram, block m at 2048)")
        assert.strictEqual(target.bitmap.count(), 0)
      }).pipe(Effect.scoped, Effect.provide(disk.layer))
    })
  )
})
