import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs"
import * as AlignedMemory from "../../../src/io/files/AlignedMemory.ts"
import { type Calls, FileCalls } from "../../../src/io/files/FileCalls.ts"
import type { FileError } from "../../../src/io/files/FileError.ts"
import * as PositionalFile from "../../../src/io/files/PositionalFile.ts"
import * as FaultyFiles from "../../../src/testing/FaultyFiles.ts"
import * as MemoryDisk from "../../../src/testing/MemoryDisk.ts"
import { quickDisk } from "../../support/worlds/quickDisk.ts"
import { memory, onEveryPlace, type Place, real, withFaults } from "../../support/worlds/places.ts"

const bytes = (length: number, seed = 1) => Uint8Array.from({ length }, (_, i) => (i * 31 + seed) % 251)
const { Fail, Short } = FaultyFiles.Fault

const names = (files: FaultyFiles.FaultyFiles) => files.log().map(({ name }) => name)

/** Every read or write is short by one of the counts, in turn. */
const shortBy =
  (counts: ReadonlyArray<number>): FaultyFiles.Plan =>
  ({ index }) => {
    const count = counts[index % Math.max(1, counts.length)]
    return count === undefined ? undefined : Short({ bytes: count })
  }

const interruptedReads: FaultyFiles.Plan = ({ index, name }) =>
  name === "read" && index < 5 ? Fail({ code: "EINTR" }) : undefined

/** The first sync fails, and every close. */
const badDisk: FaultyFiles.Plan = ({ index, name }) =>
  (name === "fdatasync" && index === 3) || name === "close" ? Fail({ code: "EIO" }) : undefined

/** The calls that a file makes which is written, perhaps synced, and then left. */
const callsOf = (sync: boolean, last: Effect.Effect<void, string>) => {
  const files = FaultyFiles.make(FaultyFiles.none, MemoryDisk.make().calls)
  return Effect.gen(function* () {
    const file = yield* PositionalFile.open("/x", { access: "write", create: "if-missing" })
    yield* file.write(0, bytes(10))
    if (sync) yield* file.sync
    yield* last
  }).pipe(Effect.scoped, Effect.provide(files.layer), Effect.exit, Effect.as(files), Effect.map(names))
}

interface HeldWrites {
  /** In the order in which they began. */
  readonly begun: ReadonlyArray<{ readonly position: number; readonly end: (code?: string) => void }>
  /** Waits until so many have begun. */
  readonly until: (count: number) => Effect.Effect<void>
  /** Writes four pages of a file, and tries so many times. */
  readonly write: (options: { readonly directIo?: boolean; readonly times?: number }) => Effect.Effect<void, FileError>
}

/** Writes that end when they are told to. */
const heldWrites = (): HeldWrites => {
  const disk = MemoryDisk.make()
  const begun: Array<HeldWrites["begun"][number]> = []
  const write: Calls["write"] = (_fd, _data, _offset, length, position, done) => {
    const end = (code?: string) =>
      code === undefined ? done(null, length) : done(Object.assign(new Error(), { code }), 0)
    begun.push({ position, end })
  }
  const memory = AlignedMemory.make(4 * 4096)
  const extents = [0, 1, 2, 3].map((page) => ({
    position: page * 4096,
    bytes: memory.subarray(page * 4096, (page + 1) * 4096)
  }))
  return {
    begun,
    until: (count) => Effect.repeat(Effect.yieldNow, { until: () => begun.length === count }),
    write: ({ directIo = false, times = 1 }) =>
      PositionalFile.open("/x", { access: "write", create: "if-missing", directIo }).pipe(
        Effect.flatMap((file) => Effect.retry(file.writeExtents(extents), { times: times - 1 })),
        Effect.scoped,
        Effect.provideService(FileCalls, { ...disk.calls, write })
      )
  }
}

/** How often bytes were moved in the calling thread when some are written and, through another descriptor, read back. */
const movedInThread = ({
  suits = true,
  inThread = true,
  directIo = false
}: {
  readonly suits?: boolean
  readonly inThread?: boolean
  readonly directIo?: boolean
}) => {
  const { calls, moved } = quickDisk({ suits })
  const open = PositionalFile.open("/x", { access: "read-write", create: "if-missing", inThread, directIo })
  return Effect.gen(function* () {
    const page = AlignedMemory.make(512)
    page.set(bytes(512))
    yield* Effect.flatMap(open, (file) => file.write(512, page))
    const back = AlignedMemory.make(512)
    yield* Effect.flatMap(open, (file) => file.readExtents([{ position: 512, bytes: back }]))
    assert.deepStrictEqual(back, page)
    return moved
  }).pipe(Effect.scoped, Effect.provideService(FileCalls, calls))
}

const directTest = (place: Place) =>
  Effect.gen(function* () {
    const file = yield* PositionalFile.open(place.path("x"), {
      access: "read-write",
      create: "if-missing",
      directIo: true
    })
    const page = AlignedMemory.make(8192)
    page.set(bytes(8192))
    yield* file.write(4096, page)
    yield* file.truncate(4096 + 5000)
    const back = AlignedMemory.make(8192)
    assert.strictEqual(yield* file.read(4096, back), 5000)
    assert.deepStrictEqual(back.subarray(0, 5000), page.subarray(0, 5000))
    const error = yield* Effect.flip(file.readExtents([{ position: 4096, bytes: back }]))
    assert.include(error, { _tag: "UnexpectedEndOfFileError", found: 5000 })
    const offByOne = yield* Effect.flip(file.write(4097, page))
    assert.include(offByOne, { _tag: "FileIoError", code: "EINVAL" })
  }).pipe(Effect.scoped)

/** One write of many fails, the others are short. */
const oneBadWrite: FaultyFiles.Plan = ({ name, position }) => {
  if (name !== "write") return undefined
  return position === 3000 ? Fail({ code: "EIO" }) : Short({ bytes: 500 })
}

describe("PositionalFile", () => {
  onEveryPlace("writes extents where they belong and reads them back", (place) =>
    Effect.gen(function* () {
      const file = yield* PositionalFile.open(place.path("x"), { access: "read-write", create: "if-missing" })
      const extents = [5, 100_000, 40_000].map((position) => ({ position, bytes: bytes(10_000, position) }))
      yield* file.writeExtents(extents)
      const back = extents.map(({ position }) => ({ position, bytes: new Uint8Array(10_000) }))
      yield* file.readExtents(back)
      assert.deepStrictEqual(back, extents)
      assert.strictEqual(place.read("x")!.length, 110_000)
      assert.strictEqual((yield* file.stat).size, 110_000)
      yield* file.sync
    })
  )

  onEveryPlace("reads up to the end of the file, and extents in full or not at all", (place) =>
    Effect.gen(function* () {
      place.write("x", bytes(1000))
      const file = yield* PositionalFile.open(place.path("x"), { access: "read" })
      const target = new Uint8Array(600)
      assert.strictEqual(yield* file.read(0, target), 600)
      assert.deepStrictEqual(target, bytes(1000).subarray(0, 600))
      assert.strictEqual(yield* file.read(700, target), 300)
      assert.strictEqual(yield* file.read(1000, target), 0)
      assert.strictEqual(yield* file.read(99_999, target), 0)
      assert.strictEqual(yield* file.read(0, new Uint8Array(0)), 0)
      const error = yield* Effect.flip(file.readExtents([{ position: 700, bytes: target }]))
      assert.strictEqual(error._tag, "UnexpectedEndOfFileError")
      assert.include(error, { position: 700, length: 600, found: 300, path: place.path("x") })
    })
  )

  onEveryPlace("creates as asked, readable for the user only", (place) =>
    Effect.gen(function* () {
      const open = (create: PositionalFile.OpenOptions["create"]) =>
        PositionalFile.open(place.path("x"), { access: "write", create })
      assert.strictEqual((yield* Effect.flip(open("never")))._tag, "FileNotFoundError")
      yield* open("exclusive")
      assert.strictEqual(place.stat("x")!.mode & 0o7777, 0o600)
      const error = yield* Effect.flip(open("exclusive"))
      assert.include(error, { _tag: "FileIoError", code: "EEXIST", operation: "open" })
      const file = yield* open("if-missing")
      yield* file.write(0, bytes(10))
      yield* file.truncate(4)
      assert.deepStrictEqual(place.read("x"), bytes(4))
      assert.strictEqual(Exit.isFailure(yield* Effect.exit(file.read(0, new Uint8Array(1)))), true)
    })
  )

  it.effect("a socket has no positions, either", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      disk.special("/socket", "socket")
      const opening = PositionalFile.open("/socket", { access: "read" }).pipe(Effect.scoped, Effect.provide(disk.layer))
      assert.include(yield* Effect.flip(opening), { _tag: "NotSeekableError", kind: "socket", code: "ESPIPE" })
    })
  )

  onEveryPlace("refuses what has no positions, without opening it", (place) =>
    Effect.gen(function* () {
      place.fifo("fifo")
      place.directory("directory")
      for (const name of ["fifo", "directory"]) {
        const error = yield* Effect.flip(PositionalFile.open(place.path(name), { access: "read" }))
        assert.include(error, { _tag: "NotSeekableError", kind: name })
        assert.include(error.message, `a ${name} is not seekable`)
      }
    })
  )

  onEveryPlace("closes once; a closed file is not used again", (place) =>
    Effect.gen(function* () {
      const file = yield* PositionalFile.open(place.path("x"), { access: "read-write", create: "if-missing" })
      yield* file.close
      yield* file.close
      const other = yield* PositionalFile.open(place.path("y"), { access: "read-write", create: "if-missing" })
      for (const use of [file.write(0, bytes(1)), file.read(0, bytes(1)), file.truncate(0), file.stat, file.sync]) {
        assert.include(yield* Effect.flip(use), { _tag: "FileIoError", code: "EBADF" })
      }
      assert.strictEqual((yield* other.stat).size, 0)
    })
  )

  const Extents = Schema.Array(
    Schema.Struct({
      position: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 })),
      length: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20_000 }))
    })
  ).check(Schema.isMaxLength(12))
  const Counts = Arbitrary.schema(Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9000 }))))

  it.effect.prop(
    "short counts are continued",
    { shapes: Extents, counts: Counts, seed: Schema.Int },
    ({ counts, seed, shapes }) =>
      Effect.gen(function* () {
        const place = yield* memory({ seed })
        const extents = shapes.map(({ length, position }, i) => ({ position: (position + 21 * i) * 20_000, length }))
        const use = Effect.gen(function* () {
          const file = yield* PositionalFile.open(place.path("x"), { access: "read-write", create: "if-missing" })
          const data = extents.map(({ length, position }) => ({ position, bytes: bytes(length, position) }))
          yield* file.writeExtents(data)
          const back = extents.map(({ length, position }) => ({ position, bytes: new Uint8Array(length) }))
          yield* file.readExtents(back)
          assert.deepStrictEqual(back, data)
        })
        yield* withFaults(place, shortBy(counts), Effect.scoped(use))
      })
  )

  const noBytes: ReadonlyArray<readonly [string, () => unknown]> = [
    ["undefined", () => undefined],
    ["a string", () => "bytes"],
    ["a Proxy of a Uint8Array", () => new Proxy(new Uint8Array(8), {})],
    ["an array of larger numbers", () => new Uint16Array(8)]
  ]
  for (const direction of ["read", "write"] as const) {
    for (const [name, make] of noBytes) {
      for (const inThread of [false, true]) {
        const way = inThread ? "in this thread" : "by the thread pool"
        it.effect(`${direction} refuses what is no memory, ${way}: ${name}`, () =>
          Effect.gen(function* () {
            const disk = MemoryDisk.make()
            const options = { access: "read-write", create: "exclusive", inThread } as const
            const opened = PositionalFile.open("/file", options).pipe(
              Effect.tap((file) => file.write(0, new Uint8Array(64).fill(1))),
              Effect.flatMap((file) =>
                Effect.flip<number | void, FileError, never>(file[direction](0, make() as Uint8Array))
              ),
              Effect.scoped,
              Effect.provide(disk.layer)
            )
            const error = yield* opened
            assert.deepStrictEqual([error._tag, error.code, error.operation], ["FileIoError", "EINVAL", direction])
            assert.include(String(error._tag === "FileIoError" && error.cause), "Uint8Array")
            assert.lengthOf(disk.openFiles(), 0)
          })
        )
      }
    }
  }

  it.effect("a write that moves nothing is an error, not an endless loop", () =>
    Effect.gen(function* () {
      const place = yield* memory()
      const plan = FaultyFiles.when(({ name }) => name === "write", Short({ bytes: 0 }))
      const use = PositionalFile.open(place.path("x"), { access: "write", create: "if-missing" }).pipe(
        Effect.flatMap((file) => file.write(7, bytes(100))),
        Effect.scoped
      )
      const error = yield* Effect.flip(withFaults(place, plan, use))
      assert.include(error, { _tag: "FileIoError", code: "EIO", operation: "write", position: 7, length: 100 })
    })
  )

  it.effect("more than a call can move is moved by several, each within the limits and page aligned", () =>
    Effect.gen(function* () {
      const lengths: Array<readonly [position: number, length: number]> = []
      const calls: Calls = {
        ...MemoryDisk.make().calls,
        write: (_fd, data, offset, length, position, done) => {
          assert.isAtMost(offset + length, data.length)
          lengths.push([position, length])
          setImmediate(done, null, length)
        }
      }
      const untouched = new Uint8Array(2 ** 31 + 4096)
      yield* PositionalFile.open("/x", { access: "write", create: "if-missing" }).pipe(
        Effect.flatMap((file) => file.write(2 ** 40, untouched)),
        Effect.scoped,
        Effect.provideService(FileCalls, calls)
      )
      const gib = 2 ** 30
      assert.deepStrictEqual(lengths, [
        [2 ** 40, gib],
        [2 ** 40 + gib, gib],
        [2 ** 40 + 2 * gib, 4096]
      ])
    })
  )

  it.effect("an interrupted system call is made again", () =>
    Effect.gen(function* () {
      const place = yield* memory()
      place.write("x", bytes(50))
      const use = Effect.gen(function* () {
        const file = yield* PositionalFile.open(place.path("x"), { access: "read" })
        const target = new Uint8Array(50)
        yield* file.readExtents([{ position: 0, bytes: target }])
        return target
      })
      assert.deepStrictEqual(yield* withFaults(place, interruptedReads, Effect.scoped(use)), bytes(50))
    })
  )

  it.effect("the first failure of a batch is its failure, after all of its calls have returned", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make({ seed: 3 })
      let underWay = 0
      const watched: Calls = {
        ...disk.calls,
        write: (fd, data, offset, length, position, done) => {
          underWay++
          disk.calls.write(fd, data, offset, length, position, (error, count) => {
            underWay--
            done(error, count)
          })
        }
      }
      const plan = FaultyFiles.when(
        ({ name, position }) => name === "write" && position === 3000,
        Fail({ code: "ENOSPC" })
      )
      const files = FaultyFiles.make(plan, watched)
      const error = yield* Effect.gen(function* () {
        const file = yield* PositionalFile.open("/x", { access: "write", create: "if-missing" })
        const extents = Array.from({ length: 20 }, (_, i) => ({ position: i * 1000, bytes: bytes(1000) }))
        return yield* Effect.flip(file.writeExtents(extents)).pipe(
          Effect.tap(() => Effect.sync(() => assert.strictEqual(underWay, 0)))
        )
      }).pipe(Effect.scoped, Effect.provide(files.layer))
      assert.include(error, { _tag: "NoSpaceError", code: "ENOSPC", position: 3000, length: 1000 })
    })
  )

  it.effect("after a failure nothing more of the batch is submitted", () =>
    Effect.gen(function* () {
      const files = FaultyFiles.make(oneBadWrite, MemoryDisk.make().calls)
      yield* PositionalFile.open("/x", { access: "write", create: "if-missing" }).pipe(
        Effect.flatMap((file) =>
          file.writeExtents(Array.from({ length: 20 }, (_, i) => ({ position: i * 1000, bytes: bytes(1000) })))
        ),
        Effect.scoped,
        Effect.flip,
        Effect.provide(files.layer)
      )
      const writes = files.log().filter(({ name }) => name === "write")
      assert.isAtMost(writes.length, 23, "all extents once, and the rest of the three in front of the failure")
    })
  )

  it.effect("buffered writes to a file are two at a time, direct ones all at once", () =>
    Effect.gen(function* () {
      const positionsOf = ({ begun }: HeldWrites) => begun.map(({ position }) => position)
      const buffered = heldWrites()
      const writing = yield* Effect.forkChild(buffered.write({}), { startImmediately: true })
      yield* buffered.until(2)
      assert.deepStrictEqual(positionsOf(buffered), [0, 4096])
      buffered.begun[1]!.end()
      assert.deepStrictEqual(positionsOf(buffered), [0, 4096, 8192])
      for (let i = 0; i < 4; i++) if (i !== 1) buffered.begun[i]!.end()
      yield* Fiber.join(writing)

      const direct = heldWrites()
      const all = yield* Effect.forkChild(direct.write({ directIo: true }), { startImmediately: true })
      yield* direct.until(4)
      direct.begun.forEach(({ end }) => end())
      yield* Fiber.join(all)
    })
  )

  it.effect("a write that waits for another one never begins when that fails; the next ones do", () =>
    Effect.gen(function* () {
      const held = heldWrites()
      const writing = yield* Effect.forkChild(held.write({ times: 2 }), { startImmediately: true })
      yield* held.until(2)
      held.begun[0]!.end("EIO")
      held.begun[1]!.end()
      yield* held.until(4)
      for (let i = 2; i < 6; i++) held.begun[i]!.end()
      yield* Fiber.join(writing)
      assert.deepStrictEqual(
        held.begun.map(({ position }) => position),
        [0, 4096, 0, 4096, 8192, 12288]
      )
    })
  )

  it.effect("bytes are moved in the calling thread where that is asked for and suits the file", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* movedInThread({}), { read: 1, write: 1 })
      const not = { read: 0, write: 0 }
      assert.deepStrictEqual(yield* movedInThread({ inThread: false }), not)
      assert.deepStrictEqual(yield* movedInThread({ suits: false }), not)
      assert.deepStrictEqual(yield* movedInThread({ directIo: true }), not)
    })
  )

  it.effect("a transfer in the calling thread that fails is followed by others; a closed file has none", () =>
    Effect.gen(function* () {
      const { calls } = quickDisk({ suits: true })
      let failures = 1
      const inThread: Calls["inThread"] = {
        ...calls.inThread!,
        write: (_fd, _data, _offset, length) => {
          if (failures-- > 0) throw Object.assign(new Error("no space"), { code: "ENOSPC" })
          return length
        }
      }
      const file = yield* PositionalFile.open("/x", { access: "write", create: "if-missing", inThread: true }).pipe(
        Effect.provideService(FileCalls, { ...calls, inThread })
      )
      assert.include(yield* Effect.flip(file.write(3, bytes(2))), { _tag: "NoSpaceError", position: 3, length: 2 })
      yield* file.write(3, bytes(2))
      yield* file.close
      assert.include(yield* Effect.flip(file.write(3, bytes(2))), { code: "EBADF" })
    }).pipe(Effect.scoped)
  )

  it.effect("interruption waits for the calls under way, and then closes", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const submitted = yield* Deferred.make<void>()
      const order: Array<string> = []
      let finish: (() => void) | undefined
      const calls: Calls = {
        ...disk.calls,
        write: (fd, data, offset, length, position, done) => {
          finish = () =>
            disk.calls.write(fd, data, offset, length, position, (error, count) => {
              order.push("written")
              done(error, count)
            })
          Deferred.doneUnsafe(submitted, Exit.void)
        },
        close: (fd, done) => {
          order.push("close")
          disk.calls.close(fd, done)
        }
      }
      const fiber = yield* PositionalFile.open("/x", { access: "write", create: "if-missing" }).pipe(
        Effect.flatMap((file) => file.write(0, bytes(10))),
        Effect.scoped,
        Effect.provideService(FileCalls, calls),
        Effect.forkChild({ startImmediately: true })
      )
      yield* Deferred.await(submitted)
      const interruption = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      assert.deepStrictEqual(order, [])
      finish?.()
      yield* Fiber.join(interruption)
      assert.deepStrictEqual(order, ["written", "close"])
      assert.deepStrictEqual(disk.openFiles(), [])
    })
  )

  it.effect("close waits for the calls of other fibers", () =>
    Effect.gen(function* () {
      const place = yield* memory({ seed: 5 })
      const use = Effect.gen(function* () {
        const file = yield* PositionalFile.open(place.path("x"), { access: "write", create: "if-missing" })
        const writing = yield* Effect.forkChild(file.write(0, bytes(100_000)), { startImmediately: true })
        yield* file.close
        yield* Fiber.join(writing)
      })
      yield* withFaults(place, shortBy([10_000]), Effect.scoped(use))
      assert.deepStrictEqual(place.read("x"), bytes(100_000))
    })
  )

  it.effect("leaving the scope syncs what was written since the last sync, and closes", () =>
    Effect.gen(function* () {
      const written = ["stat", "open", "write"]
      assert.deepStrictEqual(yield* callsOf(false, Effect.void), [...written, "fdatasync", "close"])
      assert.deepStrictEqual(yield* callsOf(false, Effect.fail("no")), [...written, "fdatasync", "close"])
      assert.deepStrictEqual(yield* callsOf(false, Effect.interrupt), [...written, "fdatasync", "close"])
      assert.deepStrictEqual(yield* callsOf(true, Effect.void), [...written, "fdatasync", "close"])
    })
  )

  it.effect("after a failed sync no other succeeds, and a failing release spoils nothing", () =>
    Effect.gen(function* () {
      const files = FaultyFiles.make(badDisk, MemoryDisk.make().calls)
      const result = yield* Effect.gen(function* () {
        const file = yield* PositionalFile.open("/x", { access: "write", create: "if-missing" })
        yield* file.write(0, bytes(10))
        const first = yield* Effect.flip(file.sync)
        const second = yield* Effect.flip(file.sync)
        assert.include(first, { _tag: "FileIoError", code: "EIO", operation: "sync" })
        assert.strictEqual(first, second)
        return "done"
      }).pipe(Effect.scoped, Effect.provide(files.layer))
      assert.strictEqual(result, "done")
      assert.deepStrictEqual(files.openFiles(), [])
    })
  )

  it.effect("a failed close is reported where it is asked for", () =>
    Effect.gen(function* () {
      const place = yield* memory()
      const plan = FaultyFiles.when(({ name }) => name === "close", Fail({ code: "EDQUOT" }))
      const use = PositionalFile.open(place.path("x"), { access: "write", create: "if-missing" }).pipe(
        Effect.flatMap((file) => file.close),
        Effect.scoped
      )
      assert.include(yield* Effect.flip(withFaults(place, plan, use)), { _tag: "NoSpaceError", operation: "close" })
    })
  )

  it.effect("there is nothing to sync on a character device", () =>
    PositionalFile.open("/dev/null", { access: "write" }).pipe(
      Effect.flatMap((file) => Effect.andThen(file.write(0, bytes(10)), file.sync)),
      Effect.scoped
    )
  )

  onEveryPlace("bad arguments are typed failures", (place) =>
    Effect.gen(function* () {
      const zero = yield* Effect.flip(PositionalFile.open("a\0b", { access: "read" }))
      if (place.kind === "real") assert.include(zero, { _tag: "FileIoError", code: "ERR_INVALID_ARG_VALUE" })
      const file = yield* PositionalFile.open(place.path("x"), { access: "read-write", create: "if-missing" })
      for (const position of [-1, 0.5, Number.NaN, 2 ** 53]) {
        assert.include(yield* Effect.flip(file.write(position, bytes(8))), { _tag: "FileIoError", code: "EINVAL" })
        assert.include(yield* Effect.flip(file.read(position, bytes(8))), { _tag: "FileIoError", code: "EINVAL" })
      }
      assert.strictEqual((yield* Effect.flip(file.truncate(-1)))._tag, "FileIoError")
    })
  )

  it.effect("direct I/O from aligned memory, and its end of file (memory)", () =>
    Effect.gen(function* () {
      const place = yield* memory()
      yield* withFaults(place, FaultyFiles.none, directTest(place))
    })
  )

  it.effect("direct I/O from aligned memory, and its end of file (real disk)", (context) =>
    Effect.gen(function* () {
      const place = yield* real()
      try {
        Fs.closeSync(
          Fs.openSync(place.path("probe"), Fs.constants.O_CREAT | Fs.constants.O_RDWR | Fs.constants.O_DIRECT)
        )
      } catch {
        context.skip("this file system has no O_DIRECT")
      }
      yield* withFaults(place, FaultyFiles.none, directTest(place))
    })
  )
})
