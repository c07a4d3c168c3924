import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as AlignedMemory from "../../src/io/files/AlignedMemory.ts"
import type { Calls } from "../../src/io/files/FileCalls.ts"
import { FileCalls } from "../../src/io/files/FileCalls.ts"
import * as FileChannel from "../../src/image/FileChannel.ts"
import * as Pipeline from "../../src/transfer/Pipeline.ts"
import * as RateLimit from "../../src/transfer/RateLimit.ts"
import * as TransferCounters from "../../src/transfer/TransferCounters.ts"
import * as PageBitmap from "../../src/ram/PageBitmap.ts"
import * as PageRuns from "../../src/ram/PageRuns.ts"
import * as RamBlock from "../../src/ram/RamBlock.ts"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"
import { directOpens } from "../support/worlds/directOpens.ts"
import * as Image from "../support/images/blocks.ts"
import * as Settings from "../support/arbitraries.ts"
import { whileMillisPass } from "../support/time.ts"

const PAGE = 4096

const shape: Image.Shape = { idstr: "pc.ram", pageSize: PAGE }

/** A disk with a file on it that others have written to, in front of the pages. */
const diskWithImage = (seed?: number) => {
  const disk = MemoryDisk.make({ seed })
  disk.write(Image.path, new Uint8Array(Image.pagesOffset).fill(0x55))
  return disk
}

/** `normal` of every `period` pages hold something. */
const striped = (pages: number, normal: number, period: number, memory = new Uint8Array(pages * PAGE)): Uint8Array => {
  for (let page = 0; page < pages; page++) {
    if (page % period < normal) memory.fill(1 + (page % 200), page * PAGE, (page + 1) * PAGE)
  }
  return memory
}

const save = <E>(
  block: RamBlock.Readable<E>,
  options: {
    readonly batchSize?: number
    readonly channels?: number
    readonly channel?: Partial<FileChannel.Options>
  } = {}
) =>
  Effect.gen(function* () {
    const bitmap = PageBitmap.make(RamBlock.pageCount(block))
    const blocks = new Map([[block.idstr, { pagesOffset: Image.pagesOffset, bitmap }]])
    const open = (id: number) => FileChannel.make({ id, path: Image.path, blocks, ...options.channel })
    yield* Pipeline.run({
      source: Image.round(block, options.batchSize ?? 64 * PAGE),
      channels: options.channels ?? 1,
      open
    })
    return bitmap
  })

const writesOf = (files: FaultyFiles.FaultyFiles) => files.log().filter((call) => call.name === "write")

describe("pages and bits", () => {
  const settings = Arbitrary.all({
    ...Settings.transfer,
    stored: Settings.boolean
  })

  it.effect.prop(
    "every page that holds something is in its place, and only its bit is set",
    { settings },
    ({ settings }) =>
      Effect.gen(function* () {
        const { block, channels, coalescePages, directIo } = settings
        const memory = RamArbitraries.contents(block)
        const disk = diskWithImage(settings.seed)
        const source = settings.stored ? Image.storedBlock(block, memory) : yield* Image.memoryBlock(block, memory)
        const batchSize = settings.batchPages * block.pageSize
        const bitmap = yield* save(source, { batchSize, channels, channel: { coalescePages, directIo } }).pipe(
          Effect.provide(disk.layer)
        )
        assert.deepStrictEqual(bitmap.bytes, Image.bitmapOf(memory, block.pageSize).bytes)
        const file = disk.read(Image.path)!
        assert.deepStrictEqual(file.subarray(0, Image.pagesOffset), new Uint8Array(Image.pagesOffset).fill(0x55))
        // Nobody wrote there before, so that pages with a clear bit have to be zeros as well.
        assert.isAtMost(file.length, Image.pagesOffset + memory.length)
        const pages = new Uint8Array(memory.length)
        pages.set(file.subarray(Image.pagesOffset))
        assert.isTrue(Buffer.compare(pages, memory) === 0)
        assert.deepStrictEqual(disk.openFiles(), [])
      })
  )

  it.effect("a page that turns zero loses its bit, one that turns normal gets it", () =>
    Effect.gen(function* () {
      const disk = diskWithImage()
      const memory = striped(8, 1, 2)
      const block = yield* Image.memoryBlock(shape, memory)
      const bitmap = PageBitmap.make(8)
      const blocks = new Map([[block.idstr, { pagesOffset: Image.pagesOffset, bitmap }]])
      const change = Effect.sync(() => {
        assert.deepStrictEqual(bitmap.runs(0, 8), [0, 1, 2, 1, 4, 1, 6, 1])
        memory.fill(0, 0, 3 * PAGE)
        memory.fill(7, 5 * PAGE, 6 * PAGE)
      })
      const source = Image.round(block, 2 * PAGE).pipe(
        Stream.concat(Stream.drain(Stream.fromEffect(change))),
        Stream.concat(Image.round(block, 8 * PAGE))
      )
      yield* Pipeline.run({
        source,
        channels: 3,
        open: (id) => FileChannel.make({ id, path: Image.path, blocks })
      }).pipe(Effect.provide(disk.layer))
      assert.deepStrictEqual(bitmap.runs(0, 8), [4, 3])
    })
  )

  it.effect("a batch of some pages leaves the others alone, bits and bytes", () =>
    Effect.gen(function* () {
      const disk = diskWithImage()
      const block = yield* Image.memoryBlock(shape, striped(8, 8, 8))
      const bitmap = PageBitmap.make(8)
      const blocks = new Map([[block.idstr, { pagesOffset: Image.pagesOffset, bitmap }]])
      const channel = yield* FileChannel.make({ id: 0, path: Image.path, blocks }).pipe(Effect.provide(disk.layer))
      yield* channel.transfer({ block, offset: PAGE, length: 6 * PAGE, pages: [0, 1, 4, 1] })
      assert.deepStrictEqual(bitmap.runs(0, 8), [1, 1, 5, 1])
      const pages = new Uint8Array(6 * PAGE)
      pages.fill(2, PAGE, 2 * PAGE)
      pages.fill(6, 5 * PAGE)
      assert.deepStrictEqual(disk.read(Image.path)!.subarray(Image.pagesOffset), pages)
    })
  )

  it.effect("counts pages, and tells how much was written", () =>
    Effect.gen(function* () {
      const disk = diskWithImage()
      const counters = TransferCounters.make()
      const told: Array<number> = []
      const block = yield* Image.memoryBlock(shape, striped(8, 1, 4))
      const channel = { counters, coalescePages: 3, written: (bytes: number) => void told.push(bytes) }
      yield* save(block, { batchSize: 8 * PAGE, channel }).pipe(Effect.provide(disk.layer))
      assert.deepStrictEqual(counters, {
        normalPages: 2,
        zeroPages: 6,
        bytesHandled: 8 * PAGE,
        bytes: 5 * PAGE,
        recordBytes: 0
      })
      assert.deepStrictEqual(told, [5 * PAGE])
    })
  )
})

describe("writes", () => {
  const countWrites = (memory: Uint8Array, coalescePages: number) =>
    Effect.gen(function* () {
      const files = FaultyFiles.make(FaultyFiles.none, diskWithImage().calls)
      const block = yield* Image.memoryBlock(shape, memory)
      yield* save(block, { channel: { coalescePages } }).pipe(Effect.provide(files.layer))
      return writesOf(files).length
    })

  it.effect("runs with few zero pages between them are one write", () =>
    Effect.gen(function* () {
      const alternating = striped(64, 1, 2)
      assert.strictEqual(yield* countWrites(alternating, 0), 32)
      assert.strictEqual(yield* countWrites(alternating, 1), 1)
      assert.strictEqual(yield* countWrites(striped(64, 1, 4), 2), 16)
      assert.strictEqual(yield* countWrites(new Uint8Array(64 * PAGE), 2), 0)
    })
  )

  /** The memory that the kernel is given. */
  const spy = (calls: Calls) => {
    const buffers = new Set<ArrayBufferLike>()
    const write: Calls["write"] = (fd, data, ...rest) => {
      buffers.add(data.buffer)
      calls.write(fd, data, ...rest)
    }
    return { buffers, calls: { ...calls, write } }
  }

  const buffersWritten = <E>(block: RamBlock.Readable<E>, directIo: boolean) =>
    Effect.gen(function* () {
      const { buffers, calls } = spy(diskWithImage().calls)
      yield* save(block, { batchSize: 4 * PAGE, channel: { directIo } }).pipe(Effect.provideService(FileCalls, calls))
      return [...buffers]
    })

  it.effect("gaps of zero pages are written along inside the batch only", () =>
    Effect.gen(function* () {
      const files = FaultyFiles.make(FaultyFiles.none, diskWithImage().calls)
      const block = yield* Image.memoryBlock(shape, striped(16, 1, 4))
      const blocks = new Map([[block.idstr, { pagesOffset: Image.pagesOffset, bitmap: PageBitmap.make(16) }]])
      const channel = yield* FileChannel.make({ id: 0, path: Image.path, blocks }).pipe(Effect.provide(files.layer))
      yield* channel.transfer({ block, offset: 0, length: 13 * PAGE, pages: [0, 5, 8, 5] })
      assert.deepStrictEqual(
        writesOf(files)
          .map((call) => call.position! - Image.pagesOffset)
          .toSorted((a, b) => a - b),
        [0, 8 * PAGE]
      )
    })
  )

  it.effect("wait for the migration's limit, piece by piece", () =>
    Effect.gen(function* () {
      const files = FaultyFiles.make(FaultyFiles.none, diskWithImage().calls)
      const counters = TransferCounters.make()
      const told: Array<number> = []
      const rateLimit = yield* RateLimit.make(100 * PAGE)
      const block = yield* Image.memoryBlock(shape, striped(16, 5, 8))
      const channel = { counters, rateLimit, coalescePages: 0, written: (bytes: number) => void told.push(bytes) }
      const began = yield* Clock.currentTimeMillis
      yield* whileMillisPass(save(block, { channel }).pipe(Effect.provide(files.layer)))
      // 100 pages flow in a second, and 2 may be taken at once.
      assert.isAtLeast((yield* Clock.currentTimeMillis) - began, 100)
      assert.deepStrictEqual(told, [2 * PAGE, 2 * PAGE, 2 * PAGE, 2 * PAGE, 2 * PAGE])
      assert.strictEqual(writesOf(files).length, 6)
      assert.deepStrictEqual(counters, {
        normalPages: 10,
        zeroPages: 6,
        bytesHandled: 16 * PAGE,
        bytes: 10 * PAGE,
        recordBytes: 0
      })
    })
  )

  it.effect("that wait can be interrupted", () =>
    Effect.gen(function* () {
      const files = FaultyFiles.make(FaultyFiles.none, diskWithImage().calls)
      const rateLimit = yield* RateLimit.make(1)
      const block = yield* Image.memoryBlock(shape, striped(16, 16, 16))
      const saving = yield* save(block, { channel: { rateLimit } }).pipe(
        Effect.provide(files.layer),
        Effect.forkChild({ startImmediately: true })
      )
      while (files.openFiles().length === 0) yield* Effect.yieldNow
      yield* Effect.replicateEffect(Effect.yieldNow, 10)
      yield* Fiber.interrupt(saving)
      assert.deepStrictEqual(files.openFiles(), [])
      assert.strictEqual(writesOf(files).length, 0)
    })
  )

  it.effect("pages in process memory are written from where they are", () =>
    Effect.gen(function* () {
      const ordinary = striped(16, 1, 2)
      assert.deepStrictEqual(yield* buffersWritten(yield* Image.memoryBlock(shape, ordinary), false), [ordinary.buffer])
      const aligned = striped(16, 1, 2, AlignedMemory.make(16 * PAGE))
      assert.deepStrictEqual(yield* buffersWritten(yield* Image.memoryBlock(shape, aligned), true), [aligned.buffer])
    })
  )

  it.effect("other pages, and memory that direct I/O refuses, go by way of one buffer", () =>
    Effect.gen(function* () {
      const memory = striped(16, 1, 2)
      for (const block of [yield* Image.memoryBlock(shape, memory), Image.storedBlock(shape, memory)]) {
        const buffers = yield* buffersWritten(block, true)
        assert.strictEqual(buffers.length, 1)
        assert.notStrictEqual(buffers[0], memory.buffer)
        assert.strictEqual(buffers[0]!.byteLength, 4 * PAGE)
      }
    })
  )
})

it.effect("bypasses the page cache only when asked to", () =>
  Effect.gen(function* () {
    for (const directIo of [true, false]) {
      const { calls, direct } = directOpens(diskWithImage().calls)
      const block = yield* Image.memoryBlock(shape, striped(4, 1, 2))
      yield* save(block, { channel: { directIo } }).pipe(Effect.provideService(FileCalls, calls))
      assert.deepStrictEqual(direct, [directIo])
    }
  })
)

describe("failure", () => {
  const failing = (plan: FaultyFiles.Plan, channel: Partial<FileChannel.Options> = {}) =>
    Effect.gen(function* () {
      const files = FaultyFiles.make(plan, diskWithImage().calls)
      const counters = TransferCounters.make()
      const block = yield* Image.memoryBlock(shape, striped(16, 16, 16))
      const error = yield* save(block, { batchSize: 4 * PAGE, channel: { id: 3, counters, ...channel } }).pipe(
        Effect.provide(files.layer),
        Effect.flip
      )
      assert.deepStrictEqual(files.openFiles(), [])
      return { error, counters, files }
    })

  it.effect("of a write says which channel and block, and counts nothing of the batch", () =>
    Effect.gen(function* () {
      const atThird = (call: FaultyFiles.Call) =>
        call.name === "write" && call.position === Image.pagesOffset + 8 * PAGE
      const { counters, error } = yield* failing(FaultyFiles.when(atThird, FaultyFiles.Fault.Fail({ code: "ENOSPC" })))
      assert(error._tag === "NoSpaceError")
      const { block, channel, offset, position, step } = error
      assert.deepStrictEqual(
        { block, channel, offset, position, step },
        { block: "pc.ram", channel: 3, offset: 8 * PAGE, position: Image.pagesOffset + 8 * PAGE, step: "ram" }
      )
      assert.strictEqual(counters.normalPages, 8)
    })
  )

  it.effect("of a write leaves the batch's bits clear", () =>
    Effect.gen(function* () {
      const fault = FaultyFiles.Fault.Fail({ code: "EIO" })
      const files = FaultyFiles.make(
        FaultyFiles.when((call) => call.name === "write", fault),
        diskWithImage().calls
      )
      const block = yield* Image.memoryBlock(shape, striped(4, 4, 4))
      const bitmap = PageBitmap.make(4)
      const blocks = new Map([[block.idstr, { pagesOffset: Image.pagesOffset, bitmap }]])
      const channel = yield* FileChannel.make({ id: 0, path: Image.path, blocks }).pipe(Effect.provide(files.layer))
      yield* Effect.flip(channel.transfer({ block, offset: 0, length: 4 * PAGE, pages: PageRuns.all(4) }))
      assert.strictEqual(bitmap.count(), 0)
    })
  )

  for (const [name, tag] of [
    ["open", "FilePermissionError"],
    ["fdatasync", "FileIoError"],
    ["close", "FileIoError"]
  ] as const) {
    it.effect(`of ${name} is the failure of the save`, () =>
      Effect.gen(function* () {
        const code = name === "open" ? "EACCES" : "EIO"
        const { error } = yield* failing(
          FaultyFiles.when((call) => call.name === name, FaultyFiles.Fault.Fail({ code }))
        )
        assert(error._tag === tag)
        assert.strictEqual(error.channel, 3)
      })
    )
  }

  it.effect("on all channels at once raises one error and attaches the others", () =>
    Effect.gen(function* () {
      const files = FaultyFiles.make(
        FaultyFiles.when((call) => call.name === "write", FaultyFiles.Fault.Fail({ code: "ENOSPC" })),
        diskWithImage().calls
      )
      const block = yield* Image.memoryBlock(shape, striped(16, 16, 16))
      const exit = yield* save(block, { batchSize: 4 * PAGE, channels: 4 }).pipe(
        Effect.provide(files.layer),
        Effect.exit
      )
      assert(Exit.isFailure(exit))
      assert.strictEqual(exit.cause.reasons.length, 1)
      const all = [exit.cause, ...Pipeline.laterFailures(exit.cause)].map(Cause.squash)
      assert.deepStrictEqual(
        all.map((error) => error instanceof Error && "channel" in error && error.channel),
        [0, 1, 2, 3]
      )
    })
  )

  it.effect("syncs what was written before it closes", () =>
    Effect.gen(function* () {
      const second = (call: FaultyFiles.Call) => call.name === "write" && call.position !== Image.pagesOffset
      const { files } = yield* failing(FaultyFiles.when(second, FaultyFiles.Fault.Fail({ code: "EIO" })))
      assert.deepStrictEqual(
        files
          .log()
          .slice(-2)
          .map((call) => call.name),
        ["fdatasync", "close"]
      )
    })
  )

  it.effect("a block without a place is a mistake of the program", () =>
    Effect.gen(function* () {
      const block = yield* Image.memoryBlock(shape, striped(4, 4, 4))
      const exit = yield* save(block, { channel: { blocks: new Map() } }).pipe(
        Effect.provide(diskWithImage().layer),
        Effect.exit
      )
      assert(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    })
  )
})

it.effect("finishing makes the file durable", () =>
  Effect.gen(function* () {
    const disk = diskWithImage()
    const memory = striped(16, 1, 2)
    yield* save(yield* Image.memoryBlock(shape, memory), { batchSize: 4 * PAGE, channels: 2 }).pipe(
      Effect.provide(disk.layer)
    )
    const left = disk.powerCut().read(Image.path)!
    assert.isTrue(Buffer.compare(left.subarray(Image.pagesOffset), memory.subarray(0, 15 * PAGE)) === 0)
  })
)
