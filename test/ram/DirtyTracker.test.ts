import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import * as FilePages from "../../src/io/files/FilePages.ts"
import * as DirtyTracker from "../../src/ram/DirtyTracker.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as PageBatch from "../../src/ram/PageBatch.ts"
import type * as PageBitmap from "../../src/ram/PageBitmap.ts"
import * as PageRuns from "../../src/ram/PageRuns.ts"
import * as RamBlock from "../../src/ram/RamBlock.ts"
import { between } from "../support/arbitraries.ts"
import { itDisk } from "../support/worlds/it.ts"

const PAGE = 4096

const pagesOf = (bitmap: PageBitmap.PageBitmap): ReadonlyArray<number> => {
  const pages: Array<number> = []
  for (let page = bitmap.nextSet(0); page < bitmap.pages; page = bitmap.nextSet(page + 1)) pages.push(page)
  return pages
}

const memory = (bytes: Uint8Array, idstr = "pc.ram") => MemoryPages.make({ idstr, memory: bytes })

const collected = Effect.fnUntraced(function* <E>(
  tracking: DirtyTracker.Tracking<E>,
  block: RamBlock.Shape
): Effect.fn.Return<ReadonlyArray<number>, E> {
  const dirty = DirtyTracker.none([block])
  yield* tracking.collect(dirty)
  return pagesOf(dirty.get(block.idstr)!)
})

/** Reads pages of the only block as a channel does, and gives the bytes that it moves. */
const move = <E>({ blocks: [block] }: DirtyTracker.Tracking<E>, first: number, pages: PageRuns.PageRuns) => {
  const { pageSize } = block!
  const batch = { block: block!, offset: first * pageSize, length: PageRuns.end(pages) * pageSize, pages }
  return Effect.map(
    PageBatch.load(batch, (length) => new Uint8Array(length)),
    ({ data }) => data
  )
}

const moveAll = <E>(tracking: DirtyTracker.Tracking<E>, block: RamBlock.Shape) =>
  move(tracking, 0, PageRuns.all(RamBlock.pageCount(block)))

describe("marking", () => {
  const start = Effect.fnUntraced(function* (pages: number) {
    const bytes = new Uint8Array(pages * PAGE)
    const block = yield* memory(bytes)
    const tracker = yield* DirtyTracker.marking([block])
    return { block, bytes, tracker, tracking: yield* tracker.start([block]) }
  })

  it.effect("every page that a write touches is dirty, once", () =>
    Effect.gen(function* () {
      const { block, tracker, tracking } = yield* start(10)
      tracker.markDirty("pc.ram", 0, 1)
      tracker.markDirty("pc.ram", 2 * PAGE - 1, 2)
      tracker.markDirty("pc.ram", 4 * PAGE, PAGE)
      tracker.markDirty("pc.ram", 6 * PAGE, 0)
      tracker.markDirty("pc.ram", 8 * PAGE + 7, 2 * PAGE - 7)
      assert.deepStrictEqual(yield* collected(tracking, block), [0, 1, 2, 4, 8, 9])
      assert.deepStrictEqual(yield* collected(tracking, block), [])
      tracker.markDirty("pc.ram", 10 * PAGE - 1, 1)
      assert.deepStrictEqual(yield* collected(tracking, block), [9])
    })
  )

  it.effect("pages are added to those that are dirty already", () =>
    Effect.gen(function* () {
      const { block, tracker, tracking } = yield* start(10)
      const dirty = DirtyTracker.none([block])
      dirty.get("pc.ram")!.setRange(3, 1)
      tracker.markDirty("pc.ram", 5 * PAGE, 1)
      yield* tracking.collect(dirty)
      assert.deepStrictEqual(pagesOf(dirty.get("pc.ram")!), [3, 5])
    })
  )

  it.effect("pages are moved from where they are", () =>
    Effect.gen(function* () {
      const { block, bytes, tracking } = yield* start(3)
      const data = yield* moveAll(tracking, block)
      assert.strictEqual(data.buffer, bytes.buffer)
    })
  )

  it.effect("serves several migrations at once, and none", () =>
    Effect.gen(function* () {
      const { block, tracker, tracking } = yield* start(4)
      tracker.markDirty("pc.ram", 0, 1)
      const scope = yield* Scope.make()
      const second = yield* Scope.provide(tracker.start([block]), scope)
      tracker.markDirty("pc.ram", PAGE, 1)
      assert.deepStrictEqual(yield* collected(second, block), [1])
      yield* Scope.close(scope, Exit.void)
      tracker.markDirty("pc.ram", 2 * PAGE, 1)
      assert.deepStrictEqual(yield* collected(second, block), [])
      assert.deepStrictEqual(yield* collected(tracking, block), [0, 1, 2])
    })
  )

  it.effect("a migration may leave out blocks", () =>
    Effect.gen(function* () {
      const ram = yield* memory(new Uint8Array(PAGE))
      const rom = yield* memory(new Uint8Array(PAGE), "rom")
      const tracker = yield* DirtyTracker.marking([ram, rom])
      const tracking = yield* tracker.start([ram])
      tracker.markDirty("rom", 0, 1)
      assert.deepStrictEqual(yield* collected(tracking, ram), [])
    })
  )

  it.effect.each([
    { idstr: "vga", offset: 0, length: 1 },
    { idstr: "pc.ram", offset: -1, length: 1 },
    { idstr: "pc.ram", offset: 0, length: -1 },
    { idstr: "pc.ram", offset: 3 * PAGE, length: PAGE + 1 },
    { idstr: "pc.ram", offset: Number.NaN, length: 1 },
    { idstr: "pc.ram", offset: 0, length: Number.NaN },
    { idstr: "pc.ram", offset: 0.5, length: 1 },
    { idstr: "pc.ram", offset: 0, length: 1.5 },
    { idstr: "pc.ram", offset: undefined as never, length: 1 },
    { idstr: "pc.ram", offset: "0" as never, length: 1 },
    { idstr: "pc.ram", offset: 0, length: undefined as never }
  ])("$length bytes at $offset of $idstr are a mistake", ({ idstr, length, offset }) =>
    Effect.gen(function* () {
      const { tracker } = yield* start(4)
      assert.throws(() => tracker.markDirty(idstr, offset, length), RangeError)
    })
  )

  it.effect("a block that nobody can mark is refused", () =>
    Effect.gen(function* () {
      const { tracker } = yield* start(4)
      const unknown = yield* Effect.flip(tracker.start([yield* memory(new Uint8Array(PAGE), "vga")]))
      assert.strictEqual(
        unknown.message,
        'RAM block "vga": idstr must be a block that the dirty tracker knows, found 4096 bytes in pages of 4096'
      )
      const longer = yield* Effect.flip(tracker.start([yield* memory(new Uint8Array(5 * PAGE))]))
      assert.strictEqual(
        longer.message,
        'RAM block "pc.ram": usedLength must be 16384 bytes in pages of 4096, as the dirty tracker knows it, found 20480 bytes in pages of 4096'
      )
    })
  )

  it.effect("is a service", () =>
    Effect.gen(function* () {
      const block = yield* memory(new Uint8Array(2 * PAGE))
      yield* Effect.gen(function* () {
        const tracker = yield* DirtyTracker.DirtyMarks
        const tracking = yield* tracker.start([block])
        tracker.markDirty("pc.ram", PAGE, 1)
        assert.deepStrictEqual(yield* collected(tracking, block), [1])
      }).pipe(Effect.provide(DirtyTracker.layer([block])))
    })
  )
})

describe.each(["hash", "copy"] as const)("comparing by %s", (by) => {
  const start = Effect.fnUntraced(function* (bytes: Uint8Array) {
    const block = yield* memory(bytes)
    const tracking = yield* DirtyTracker.comparing(by).start([block])
    return { block, tracking }
  })

  it.effect.prop(
    "a page is dirty when, and only when, it is not what was moved",
    {
      /** What is written where between two moves: page, byte in the page, value. */
      rounds: Arbitrary.array(
        Arbitrary.array(Arbitrary.all([between(0, 39), between(0, PAGE - 1), between(0, 255)]), { maxLength: 12 }),
        { minLength: 1, maxLength: 4 }
      ),
      unaligned: between(0, 5)
    },
    ({ rounds, unaligned }) =>
      Effect.gen(function* () {
        const bytes = new Uint8Array(40 * PAGE + 8).subarray(unaligned, 40 * PAGE + unaligned)
        bytes.fill(7, 0, 10 * PAGE)
        const { block, tracking } = yield* start(bytes)
        const moved = (yield* moveAll(tracking, block)).slice()
        for (const writes of rounds) {
          for (const [page, at, value] of writes) bytes[page * PAGE + at] = value
          const differing = Array.from({ length: 40 }, (_, page) => page).filter(
            (page) =>
              Buffer.compare(
                bytes.subarray(page * PAGE, (page + 1) * PAGE),
                moved.subarray(page * PAGE, (page + 1) * PAGE)
              ) !== 0
          )
          assert.deepStrictEqual(yield* collected(tracking, block), differing)
          const runs = PageRuns.fromPages(differing)
          if (runs.length === 0) continue
          const data = yield* move(tracking, 0, runs)
          PageRuns.forEach(runs, (first, count) =>
            moved.set(data.subarray(first * PAGE, (first + count) * PAGE), first * PAGE)
          )
        }
      })
  )

  it.effect("what changes back before it is looked at, but was moved in between, is dirty", () =>
    Effect.gen(function* () {
      const bytes = new Uint8Array(4 * PAGE)
      const { block, tracking } = yield* start(bytes)
      bytes[PAGE] = 1
      yield* moveAll(tracking, block)
      bytes[PAGE] = 0
      assert.deepStrictEqual(yield* collected(tracking, block), [1])
    })
  )

  it.effect("reading pages that are not of the batch does not count as moving them", () =>
    Effect.gen(function* () {
      const bytes = new Uint8Array(8 * PAGE)
      const { block, tracking } = yield* start(bytes)
      yield* moveAll(tracking, block)
      bytes.fill(1)
      yield* move(tracking, 1, [0, 1, 4, 2])
      assert.deepStrictEqual(yield* collected(tracking, block), [0, 2, 3, 4, 7])
    })
  )

  it.effect("pages that are read without a word which of them are wanted are all moved", () =>
    Effect.gen(function* () {
      const bytes = new Uint8Array(8 * PAGE)
      const { block, tracking } = yield* start(bytes)
      yield* moveAll(tracking, block)
      bytes.fill(1)
      yield* tracking.blocks[0]!.reader.readInto(2 * PAGE, new Uint8Array(4 * PAGE))
      assert.deepStrictEqual(yield* collected(tracking, block), [0, 1, 6, 7])
    })
  )

  it.effect("pages are moved from a copy, which nobody changes", () =>
    Effect.gen(function* () {
      const bytes = new Uint8Array(PAGE).fill(1)
      const { block, tracking } = yield* start(bytes)
      const data = yield* moveAll(tracking, block)
      bytes.fill(2)
      assert.strictEqual(data[0], 1)
      assert.deepStrictEqual(yield* collected(tracking, block), [0])
    })
  )

  itDisk("a file that somebody else writes to", function* (disk) {
    const length = 5 * 2 ** 20 + 3 * PAGE
    disk.write("/ram", new Uint8Array(length).fill(9))
    const block = yield* FilePages.make({ idstr: "pc.ram", path: "/ram", access: "read" })
    const tracking = yield* DirtyTracker.comparing(by).start([block])
    yield* moveAll(tracking, block)
    assert.deepStrictEqual(yield* collected(tracking, block), [])
    const changed = disk.read("/ram")!.slice()
    for (const page of [0, 511, 512, 1282]) changed[page * PAGE + 77] = 1
    disk.write("/ram", changed)
    assert.deepStrictEqual(yield* collected(tracking, block), [0, 511, 512, 1282])
  })

  it.effect("gives way to others while it compares", () =>
    Effect.gen(function* () {
      const { block, tracking } = yield* start(new Uint8Array(16 * 2 ** 20))
      let turns = 0
      yield* Effect.raceFirst(
        collected(tracking, block),
        Effect.forever(
          Effect.andThen(
            Effect.yieldNow,
            Effect.sync(() => turns++)
          )
        )
      )
      assert.isAtLeast(turns, 3)
    })
  )
})
