import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as ChildProcess from "node:child_process"
import * as AtomicFile from "../../../src/io/files/AtomicFile.ts"
import { type Calls, FileCalls } from "../../../src/io/files/FileCalls.ts"
import * as FilePages from "../../../src/io/files/FilePages.ts"
import * as FaultyFiles from "../../../src/testing/FaultyFiles.ts"
import * as MemoryDisk from "../../../src/testing/MemoryDisk.ts"
import { countCalls, memory, onEveryPlace, real, withFaults } from "../../support/worlds/places.ts"

const page = 4096
const content = (pages: number) => Uint8Array.from({ length: pages * page }, (_, i) => (i >> 12) + 1)
const { Fail } = FaultyFiles.Fault

const openDisk = (options: Partial<FilePages.Options>) =>
  FilePages.make({ idstr: "a", path: "/dev/disk", ...options, access: "read-write" })

const openZero = (length?: number) => FilePages.make({ idstr: "a", path: "/dev/zero", length, access: "read" })

/** A block device over a file, where the user may make one. */
const loopDevice = (file: string): Effect.Effect<string | undefined, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const { status, stdout } = ChildProcess.spawnSync("losetup", ["--find", "--show", file], { encoding: "utf8" })
      return status === 0 ? stdout.trim() : undefined
    }),
    (device) => Effect.sync(() => void (device && ChildProcess.spawnSync("losetup", ["--detach", device])))
  )

/** Creates, fills and zeroes a block; every call of it may fail. */
const fill = (path: string) =>
  Effect.gen(function* () {
    const { writer } = yield* FilePages.make({ idstr: "a", path, length: 4 * page, access: "read-write" })
    yield* writer.write(0, content(4))
    yield* writer.zero(page, page)
    yield* writer.sync
  }).pipe(Effect.scoped)

describe("FilePages", () => {
  onEveryPlace("reads a range of a file as a block", (place) =>
    Effect.gen(function* () {
      const file = content(8)
      place.write("ram", file)
      const whole = yield* FilePages.make({ idstr: "pc.ram", path: place.path("ram"), access: "read" })
      assert.include(whole, { idstr: "pc.ram", usedLength: 8 * page, pageSize: page })
      assert.strictEqual(whole.reader.view, undefined)
      assert.strictEqual(whole.reader.present, undefined)
      const options = { idstr: "a", path: place.path("ram"), offset: 100, length: 3 * 1024, pageSize: 1024 }
      const range = yield* FilePages.make({ ...options, access: "read" })
      const target = new Uint8Array(2048)
      yield* range.reader.readInto(1024, target)
      assert.deepStrictEqual(target, file.slice(1124, 3172))
      const rest = yield* FilePages.make({ idstr: "b", path: place.path("ram"), offset: 5 * page, access: "read" })
      assert.strictEqual(rest.usedLength, 3 * page)
    })
  )

  onEveryPlace("a missing file is created, sparse and fresh", (place) =>
    Effect.gen(function* () {
      const path = place.path("ram")
      const block = yield* FilePages.make({ idstr: "a", path, offset: page, length: 1000 * page, access: "read-write" })
      assert.strictEqual(block.writer.fresh, true)
      assert.strictEqual(place.stat("ram")!.size, 1001 * page)
      assert.strictEqual(place.stat("ram")!.blocks, 0)
      assert.strictEqual(place.stat("ram")!.mode & 0o7777, 0o600)
      yield* block.writer.write(2 * page, content(3))
      yield* block.writer.sync
      const back = new Uint8Array(3 * page)
      yield* block.reader.readInto(2 * page, back)
      assert.deepStrictEqual(back, content(3))
      assert.deepStrictEqual(place.read("ram")!.slice(3 * page, 6 * page), content(3))
    })
  )

  onEveryPlace("a file grows; only a range behind its end is fresh", (place) =>
    Effect.gen(function* () {
      place.write("ram", content(2))
      const make = (offset: number, length?: number) =>
        FilePages.make({ idstr: "a", path: place.path("ram"), offset, length, access: "read-write" })
      assert.strictEqual((yield* make(0)).writer.fresh, false)
      assert.strictEqual((yield* make(page, 2 * page)).writer.fresh, false)
      assert.strictEqual(place.stat("ram")!.size, 3 * page)
      assert.strictEqual((yield* make(3 * page, 2 * page)).writer.fresh, true)
      assert.strictEqual(place.stat("ram")!.size, 5 * page)
      assert.deepStrictEqual(place.read("ram")!.slice(0, 2 * page), content(2))
    })
  )

  onEveryPlace("makes pages zero, and leaves holes alone", (place) =>
    Effect.gen(function* () {
      const path = place.path("ram")
      const block = yield* FilePages.make({ idstr: "a", path, length: 600 * page, access: "read-write" })
      yield* block.writer.write(0, content(4))
      yield* block.writer.write(590 * page, content(10))
      const before = place.stat("ram")!.blocks
      yield* block.writer.zero(page, 594 * page)
      yield* block.writer.sync
      assert.strictEqual(place.stat("ram")!.blocks, before)
      const back = place.read("ram")!
      assert.deepStrictEqual(back.subarray(0, page), content(4).subarray(0, page))
      assert.isTrue(back.subarray(page, 595 * page).every((byte) => byte === 0))
      assert.deepStrictEqual(back.subarray(595 * page), content(10).subarray(5 * page))
    })
  )

  const Pages = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 })))
  const Patterns = Arbitrary.schema(Pages.check(Schema.isMinLength(1), Schema.isMaxLength(40)))
  it.effect.prop(
    "zeroed ranges are zero, others as they were",
    { pattern: Patterns, seed: Schema.Int },
    ({ pattern, seed }) =>
      Effect.gen(function* () {
        const disk = MemoryDisk.make({ seed })
        const file = Uint8Array.from({ length: pattern.length * page }, (_, i) => pattern[i >> 12]!)
        disk.write("/ram", file)
        const from = Math.abs(seed) % pattern.length
        const count = (Math.abs(seed) >> 8) % (pattern.length - from + 1)
        yield* FilePages.make({ idstr: "a", path: "/ram", access: "read-write" }).pipe(
          Effect.flatMap(({ writer }) => writer.zero(from * page, count * page)),
          Effect.scoped,
          Effect.provide(disk.layer)
        )
        assert.deepStrictEqual(disk.read("/ram"), file.fill(0, from * page, (from + count) * page))
      })
  )

  it.effect("looks at what it makes zero through as many buffers as it is asked at the same time", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const buffers = new Set<ArrayBufferLike>()
      const read: Calls["read"] = (fd, bytes, ...rest) => {
        buffers.add(bytes.buffer)
        disk.calls.read(fd, bytes, ...rest)
      }
      yield* Effect.gen(function* () {
        const { writer } = yield* FilePages.make({ idstr: "a", path: "/ram", length: 16 * page, access: "read-write" })
        for (let i = 0; i < 5; i++) yield* writer.zero(i * page, 3 * page)
        assert.strictEqual(buffers.size, 1)
        const both = [writer.zero(0, page), writer.zero(page, page)]
        yield* Effect.all(both, { concurrency: 2, discard: true })
        yield* writer.zero(0, page)
        assert.strictEqual(buffers.size, 2)
      }).pipe(Effect.scoped, Effect.provideService(FileCalls, { ...disk.calls, read }))
    })
  )

  onEveryPlace("what is no block is refused, and nothing is created", (place) =>
    Effect.gen(function* () {
      place.write("ram", content(2).subarray(0, 2 * page - 1))
      place.write("empty", new Uint8Array(0))
      const property = (name: string, options: Partial<FilePages.Options>) =>
        FilePages.make({ idstr: "a", path: place.path(name), ...options, access: "read" }).pipe(
          Effect.flip,
          Effect.map((error) => (error._tag === "RamBlockError" ? error.property : error._tag))
        )
      const writing = (name: string, options: Partial<FilePages.Options>) =>
        FilePages.make({ idstr: "a", path: place.path(name), ...options, access: "read-write" }).pipe(
          Effect.flip,
          Effect.map((error) => (error._tag === "RamBlockError" ? error.property : error._tag))
        )
      assert.strictEqual(yield* property("ram", {}), "usedLength")
      assert.strictEqual(yield* property("empty", {}), "usedLength")
      assert.strictEqual(yield* property("ram", { length: 2 * page }), "usedLength")
      assert.strictEqual(yield* property("ram", { offset: 5 * page }), "usedLength")
      assert.strictEqual(yield* property("ram", { length: page, pageSize: 1000 }), "pageSize")
      assert.strictEqual(yield* property("ram", { length: page, idstr: "" }), "idstr")
      assert.strictEqual(yield* property("missing", {}), "FileNotFoundError")
      assert.strictEqual(yield* writing("missing", {}), "FileNotFoundError")
      for (const offset of [-1, 0.5, Number.NaN, 2 ** 53]) {
        assert.strictEqual(yield* property("ram", { offset, length: page }), "usedLength")
        assert.strictEqual(yield* writing("new", { offset, length: page }), "usedLength")
      }
      assert.strictEqual(yield* writing("new", { length: 100 }), "usedLength")
      assert.strictEqual(yield* writing("new", { length: page, idstr: "x".repeat(256) }), "idstr")
      assert.strictEqual(yield* writing("none/new", { length: page }), "FileNotFoundError")
      assert.deepStrictEqual(place.files(), ["empty", "ram"])
    })
  )

  onEveryPlace("a file that is cut off meanwhile is too short", (place) =>
    Effect.gen(function* () {
      place.write("ram", content(4))
      const block = yield* FilePages.make({ idstr: "a", path: place.path("ram"), access: "read" })
      place.write("ram", content(3))
      const error = yield* Effect.flip(block.reader.readInto(2 * page, new Uint8Array(2 * page)))
      assert.include(error, { _tag: "UnexpectedEndOfFileError", position: 2 * page, found: page })
    })
  )

  it.effect("a device is as large as it is", () =>
    Effect.gen(function* () {
      for (const sectors of [8, 24, 4096, 4104, 65_536 * 8]) {
        const disk = MemoryDisk.make()
        disk.device("/dev/disk", sectors * 512)
        const use = Effect.gen(function* () {
          const block = yield* openDisk({})
          assert.strictEqual(block.usedLength, sectors * 512)
          assert.strictEqual(block.writer.fresh, false)
          assert.include(yield* Effect.flip(openDisk({ length: sectors * 512 + page })), { property: "usedLength" })
          yield* block.writer.write(block.usedLength - page, content(1))
          yield* block.writer.sync
        })
        yield* Effect.provide(Effect.scoped(use), disk.layer)
        assert.deepStrictEqual(disk.read("/dev/disk")!.subarray(-page), content(1))
      }
    })
  )

  it.effect("a real block device is as large as it is, and is written in place", (context) =>
    Effect.gen(function* () {
      const place = yield* real()
      place.write("disk", content(5))
      const device = yield* loopDevice(place.path("disk"))
      if (device === undefined) return context.skip("loop devices are not to be had")
      const use = Effect.gen(function* () {
        const block = yield* FilePages.make({ idstr: "a", path: device, access: "read-write" })
        assert.strictEqual(block.usedLength, 5 * page)
        yield* block.writer.zero(page, page)
        const { commit, file, inPlace, origin } = yield* AtomicFile.make({ path: device, offset: 3 * page })
        yield* file.write(origin, content(1))
        yield* commit
        assert.strictEqual(inPlace, true)
      })
      yield* withFaults(place, FaultyFiles.none, Effect.scoped(use))
      const expected = content(5).fill(0, page, 2 * page)
      expected.set(content(1), 3 * page)
      assert.deepStrictEqual(place.read("disk"), expected)
    })
  )

  it.effect("an endless device needs a length", () =>
    Effect.gen(function* () {
      const block = yield* openZero(2 * page)
      const target = content(2)
      yield* block.reader.readInto(0, target)
      assert.isTrue(target.every((byte) => byte === 0))
      assert.include(yield* Effect.flip(openZero()), { _tag: "RamBlockError", property: "usedLength" })
    })
  )

  for (const [name, make] of [
    ["real disk", real()],
    ["memory", memory({ seed: 4 })]
  ] as const) {
    it.effect(`whatever call fails is reported, and closes the file (${name})`, () =>
      Effect.gen(function* () {
        const counted = yield* make
        const calls = yield* countCalls(counted, fill(counted.path("ram")))
        for (let k = 0; k < calls; k++) {
          const place = yield* make
          const log: Array<string> = []
          const plan: FaultyFiles.Plan = (call) => {
            log.push(call.name)
            return FaultyFiles.at(k, Fail({ code: "ENOSPC" }))(call)
          }
          const exit = yield* Effect.exit(withFaults(place, plan, fill(place.path("ram"))))
          if (Exit.isSuccess(exit)) assert.strictEqual(log[k], "close")
          else assert.strictEqual((yield* Effect.flip(exit))._tag, "NoSpaceError", log[k])
          if (log[k] === "ftruncate") assert.deepStrictEqual(place.files(), [])
        }
      })
    )
  }

  it.effect("what was synced survives a power cut, the name of a new file included", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      yield* Effect.provide(fill("/ram"), disk.layer)
      assert.deepStrictEqual(disk.powerCut().read("/ram"), content(4).fill(0, page, 2 * page))
    })
  )
})
