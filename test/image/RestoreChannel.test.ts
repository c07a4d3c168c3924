import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as AlignedMemory from "../../src/io/files/AlignedMemory.ts"
import type { Calls } from "../../src/io/files/FileCalls.ts"
import { FileCalls } from "../../src/io/files/FileCalls.ts"
import * as Pipeline from "../../src/transfer/Pipeline.ts"
import * as RestoreChannel from "../../src/image/RestoreChannel.ts"
import * as TransferCounters from "../../src/transfer/TransferCounters.ts"
import * as PageBitmap from "../../src/ram/PageBitmap.ts"
import * as PageRuns from "../../src/ram/PageRuns.ts"
import type { PageWriter } from "../../src/ram/PageWriter.ts"
import type * as RamBlock from "../../src/ram/RamBlock.ts"
import * as ZeroPages from "../../src/ram/ZeroPages.ts"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"
import * as Image from "../support/images/blocks.ts"
import * as Settings from "../support/arbitraries.ts"
import { directOpens } from "../support/worlds/directOpens.ts"

const PAGE = 4096

const shape: Image.Shape = { idstr: "pc.ram", pageSize: PAGE }

/** The image of some memory: under clear bits lies what a live save leaves there. */
const imageOf = (memory: Uint8Array, pageSize: number, seed?: number) => {
  const disk = MemoryDisk.make({ seed })
  const bitmap = Image.bitmapOf(memory, pageSize)
  const file = new Uint8Array(Image.pagesOffset + memory.length).fill(Image.stale)
  PageRuns.forEach(bitmap.runs(0, bitmap.pages), (first, count) => {
    const start = first * pageSize
    file.set(memory.subarray(start, start + count * pageSize), Image.pagesOffset + start)
  })
  disk.write(Image.path, file)
  return { disk, bitmap }
}

/** A block of the image, as a scan needs it. */
const blockOf = ({ idstr, pageSize }: Image.Shape, present: PageBitmap.PageBitmap): RamBlock.Readable => ({
  idstr,
  pageSize,
  usedLength: present.pages * pageSize,
  reader: { present, view: undefined, readInto: () => Effect.die("the channel reads with its own descriptor") }
})

/** A file to restore to, which must never see anything but the pages themselves. */
const storedWriter = (target: Uint8Array, expected: Uint8Array, fresh: boolean) => {
  const calls = { write: 0, zero: 0 }
  const writer: PageWriter = {
    fresh,
    view: undefined,
    write: (offset, data) =>
      Effect.sync(() => {
        calls.write++
        assert.isTrue(Buffer.compare(data, expected.subarray(offset, offset + data.length)) === 0)
        target.set(data, offset)
      }),
    zero: (offset, length) =>
      Effect.sync(() => {
        calls.zero++
        assert.isTrue(ZeroPages.isZero(expected, offset, offset + length))
        target.fill(0, offset, offset + length)
      }),
    sync: Effect.void
  }
  return { writer, calls }
}

const memoryWriter = (target: Uint8Array, fresh: boolean): PageWriter => ({
  fresh,
  view: (offset, length) => target.subarray(offset, offset + length),
  write: (offset, data) => Effect.sync(() => target.set(data, offset)),
  zero: (offset, length) => Effect.sync(() => void target.fill(0, offset, offset + length)),
  sync: Effect.void
})

interface Request<E> {
  readonly shape?: Image.Shape
  readonly bitmap: PageBitmap.PageBitmap
  readonly writer: PageWriter<E>
  readonly batchSize?: number
  readonly channels?: number
  readonly channel?: Partial<RestoreChannel.Options<E>>
}

const restore = <E>({ bitmap, writer, ...options }: Request<E>) => {
  const block = blockOf(options.shape ?? shape, bitmap)
  const blocks = new Map([[block.idstr, { pagesOffset: Image.pagesOffset, bitmap, writer }]])
  return Pipeline.run({
    source: Image.round(block, options.batchSize ?? 64 * PAGE),
    channels: options.channels ?? 1,
    open: (id) => RestoreChannel.make({ id, path: Image.path, blocks, ...options.channel })
  })
}

/** `present` of every `period` pages hold something. */
const striped = (pages: number, present: number, period: number): Uint8Array => {
  const memory = new Uint8Array(pages * PAGE)
  for (let page = 0; page < pages; page++) {
    if (page % period < present) memory.fill(1 + (page % 200), page * PAGE, (page + 1) * PAGE)
  }
  return memory
}

const targets = {
  memory: (length: number) => new Uint8Array(length),
  aligned: (length: number) => AlignedMemory.make(length),
  stored: (length: number) => new Uint8Array(length)
}

describe("pages", () => {
  const settings = Arbitrary.all({
    ...Settings.transfer,
    target: Arbitrary.schema(Schema.Literals(["memory", "aligned", "stored"])),
    fresh: Settings.boolean
  })

  it.effect.prop(
    "are what the bitmap says, whatever lies under clear bits and lay in the block",
    { settings },
    ({ settings }) =>
      Effect.gen(function* () {
        const { block, channels, coalescePages, directIo, fresh } = settings
        const memory = RamArbitraries.contents(block)
        const { bitmap, disk } = imageOf(memory, block.pageSize, settings.seed)
        const target = targets[settings.target](memory.length).fill(fresh ? 0 : 0xaa)
        const writer =
          settings.target === "stored" ? storedWriter(target, memory, fresh).writer : memoryWriter(target, fresh)
        yield* restore({
          shape: block,
          bitmap,
          writer,
          batchSize: settings.batchPages * block.pageSize,
          channels,
          channel: { coalescePages, directIo }
        }).pipe(Effect.provide(disk.layer))
        assert.isTrue(Buffer.compare(target, memory) === 0)
        assert.deepStrictEqual(disk.openFiles(), [])
      })
  )

  it.effect("that a batch does not name keep their bytes", () =>
    Effect.gen(function* () {
      const memory = striped(8, 1, 2)
      const { bitmap, disk } = imageOf(memory, PAGE)
      for (const view of [true, false]) {
        const target = new Uint8Array(8 * PAGE).fill(0xaa)
        const writer = { ...memoryWriter(target, false), ...(view ? {} : { view: undefined }) }
        const block = blockOf(shape, bitmap)
        const blocks = new Map([[block.idstr, { pagesOffset: Image.pagesOffset, bitmap, writer }]])
        const channel = yield* RestoreChannel.make({ id: 0, path: Image.path, blocks }).pipe(Effect.provide(disk.layer))
        // Relative to page 1: pages 2 (present), 3 (absent) and 6 (present).
        yield* channel.transfer({ block, offset: PAGE, length: 6 * PAGE, pages: [1, 2, 5, 1] })
        const expected = new Uint8Array(8 * PAGE).fill(0xaa)
        expected.set(memory.subarray(2 * PAGE, 4 * PAGE), 2 * PAGE)
        expected.set(memory.subarray(6 * PAGE, 7 * PAGE), 6 * PAGE)
        assert.isTrue(Buffer.compare(target, expected) === 0)
      }
    })
  )

  it.effect("that are absent cost nothing in a fresh block, or where they were written along", () =>
    Effect.gen(function* () {
      const callsFor = (memory: Uint8Array, fresh: boolean) =>
        Effect.gen(function* () {
          const { bitmap, disk } = imageOf(memory, PAGE)
          const { calls, writer } = storedWriter(new Uint8Array(memory.length), memory, fresh)
          yield* restore({ bitmap, writer }).pipe(Effect.provide(disk.layer))
          return calls
        })
      const apart = striped(64, 8, 32)
      assert.deepStrictEqual(yield* callsFor(apart, true), { write: 2, zero: 0 })
      assert.deepStrictEqual(yield* callsFor(apart, false), { write: 2, zero: 2 })
      const alternating = striped(63, 1, 2)
      assert.deepStrictEqual(yield* callsFor(alternating, false), { write: 1, zero: 0 })
    })
  )

  it.effect("that are absent by the gigabyte are not read, and need no memory", () =>
    Effect.gen(function* () {
      const pages = 2 ** 20
      const disk = MemoryDisk.make()
      disk.write(Image.path, new Uint8Array(0))
      const zeroed: Array<number> = []
      const writer: PageWriter = {
        fresh: false,
        view: () => assert.fail("nothing to look at"),
        write: () => Effect.die("nothing to write"),
        zero: (_, length) => Effect.sync(() => void zeroed.push(length)),
        sync: Effect.void
      }
      yield* restore({ bitmap: PageBitmap.make(pages), writer }).pipe(Effect.provide(disk.layer))
      assert.strictEqual(
        zeroed.reduce((sum, length) => sum + length, 0),
        pages * PAGE
      )
      assert.isAtMost(zeroed.length, 64)
    })
  )

  it.effect("are counted", () =>
    Effect.gen(function* () {
      const memory = striped(8, 1, 4)
      const { bitmap, disk } = imageOf(memory, PAGE)
      const counters = TransferCounters.make()
      const { writer } = storedWriter(new Uint8Array(memory.length), memory, true)
      yield* restore({ bitmap, writer, channel: { counters, coalescePages: 3 } }).pipe(Effect.provide(disk.layer))
      assert.deepStrictEqual(counters, {
        normalPages: 2,
        zeroPages: 6,
        bytesHandled: 8 * PAGE,
        bytes: 5 * PAGE,
        recordBytes: 0
      })
    })
  )
})

describe("reads", () => {
  const countReads = (memory: Uint8Array, writer: PageWriter, coalescePages?: number) =>
    Effect.gen(function* () {
      const { bitmap, disk } = imageOf(memory, PAGE)
      const files = FaultyFiles.make(FaultyFiles.none, disk.calls)
      yield* restore({ bitmap, writer, channel: { coalescePages } }).pipe(Effect.provide(files.layer))
      return files.log().filter((call) => call.name === "read").length
    })

  it.effect("runs with few absent pages between them are one read", () =>
    Effect.gen(function* () {
      const alternating = striped(64, 1, 2)
      const target = new Uint8Array(alternating.length)
      assert.strictEqual(yield* countReads(alternating, memoryWriter(target, true)), 1)
      assert.strictEqual(yield* countReads(striped(64, 1, 4), memoryWriter(target, true)), 16)
      assert.strictEqual(yield* countReads(alternating, storedWriter(target, alternating, true).writer, 0), 32)
      assert.strictEqual(yield* countReads(alternating, storedWriter(target, alternating, true).writer, 1), 1)
    })
  )

  const buffersRead = (target: Uint8Array, directIo: boolean) =>
    Effect.gen(function* () {
      const { bitmap, disk } = imageOf(striped(16, 1, 2), PAGE)
      const buffers = new Set<ArrayBufferLike>()
      const read: Calls["read"] = (fd, target, ...rest) => {
        buffers.add(target.buffer)
        disk.calls.read(fd, target, ...rest)
      }
      yield* restore({ bitmap, writer: memoryWriter(target, true), channel: { directIo } }).pipe(
        Effect.provideService(FileCalls, { ...disk.calls, read })
      )
      return [...buffers]
    })

  it.effect("go straight to process memory", () =>
    Effect.gen(function* () {
      const ordinary = new Uint8Array(16 * PAGE)
      assert.deepStrictEqual(yield* buffersRead(ordinary, false), [ordinary.buffer])
      const aligned = AlignedMemory.make(16 * PAGE)
      assert.deepStrictEqual(yield* buffersRead(aligned, true), [aligned.buffer])
    })
  )

  it.effect("go by way of a buffer where direct I/O refuses the memory", () =>
    Effect.gen(function* () {
      const ordinary = new Uint8Array(16 * PAGE)
      assert.notInclude(yield* buffersRead(ordinary, true), ordinary.buffer)
    })
  )

  it.effect("bypass the page cache only when asked to", () =>
    Effect.gen(function* () {
      for (const directIo of [true, false]) {
        const { bitmap, disk } = imageOf(striped(4, 1, 2), PAGE)
        const { calls, direct } = directOpens(disk.calls)
        const writer = memoryWriter(new Uint8Array(4 * PAGE), true)
        yield* restore({ bitmap, writer, channel: { directIo } }).pipe(Effect.provideService(FileCalls, calls))
        assert.deepStrictEqual(direct, [directIo])
      }
    })
  )
})

describe("failure", () => {
  it.effect("of a read that brought stale bytes along leaves none of them behind", () =>
    Effect.gen(function* () {
      const memory = striped(16, 1, 2)
      const { bitmap, disk } = imageOf(memory, PAGE)
      const read: Calls["read"] = (fd, target, offset, length, position, done) =>
        disk.calls.read(fd, target, offset, length, position, () =>
          done(Object.assign(new Error("bad sector"), { code: "EIO" }), 0)
        )
      const target = new Uint8Array(memory.length)
      const error = yield* restore({ bitmap, writer: memoryWriter(target, true), channel: { id: 5 } }).pipe(
        Effect.provideService(FileCalls, { ...disk.calls, read }),
        Effect.flip
      )
      assert(error._tag === "FileIoError")
      const { block, channel, offset, step } = error
      assert.deepStrictEqual({ block, channel, offset, step }, { block: "pc.ram", channel: 5, offset: 0, step: "ram" })
      assert.isFalse(target.includes(Image.stale))
    })
  )

  it.effect("an image that ends too early is a typed error", () =>
    Effect.gen(function* () {
      const memory = striped(16, 1, 1)
      const { bitmap, disk } = imageOf(memory, PAGE)
      disk.write(Image.path, disk.read(Image.path)!.subarray(0, Image.pagesOffset + 10 * PAGE))
      const target = new Uint8Array(memory.length)
      const error = yield* restore({ bitmap, writer: memoryWriter(target, true), batchSize: 4 * PAGE }).pipe(
        Effect.provide(disk.layer),
        Effect.flip
      )
      assert(error._tag === "UnexpectedEndOfFileError")
      assert.strictEqual(error.offset, 8 * PAGE)
      assert.deepStrictEqual(disk.openFiles(), [])
    })
  )

  it.effect("of the last close is the failure of the restore", () =>
    Effect.gen(function* () {
      const { bitmap, disk } = imageOf(striped(4, 1, 2), PAGE)
      const files = FaultyFiles.make(
        FaultyFiles.when((call) => call.name === "close", FaultyFiles.Fault.Fail({ code: "EIO" })),
        disk.calls
      )
      const writer = memoryWriter(new Uint8Array(4 * PAGE), true)
      const error = yield* restore({ bitmap, writer }).pipe(Effect.provide(files.layer), Effect.flip)
      assert.strictEqual(error._tag, "FileIoError")
    })
  )

  for (const operation of ["write", "zero"] as const) {
    it.effect(`of a writer's ${operation} comes out as it is`, () =>
      Effect.gen(function* () {
        const memory = striped(32, 1, 16)
        const { bitmap, disk } = imageOf(memory, PAGE)
        const { writer } = storedWriter(new Uint8Array(memory.length), memory, false)
        const full: PageWriter<"full"> = { ...writer, [operation]: () => Effect.fail("full") }
        const error = yield* restore({ bitmap, writer: full }).pipe(Effect.provide(disk.layer), Effect.flip)
        assert.strictEqual(error, "full")
        assert.deepStrictEqual(disk.openFiles(), [])
      })
    )
  }

  it.effect("a block without a place is a mistake of the program", () =>
    Effect.gen(function* () {
      const { bitmap, disk } = imageOf(striped(4, 1, 1), PAGE)
      const writer = memoryWriter(new Uint8Array(4 * PAGE), true)
      const exit = yield* restore({ bitmap, writer, channel: { blocks: new Map() } }).pipe(
        Effect.provide(disk.layer),
        Effect.exit
      )
      assert(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    })
  )
})
