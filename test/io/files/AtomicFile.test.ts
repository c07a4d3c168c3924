import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as AtomicFile from "../../../src/io/files/AtomicFile.ts"
import { type Calls, type ErrnoError, FileCalls } from "../../../src/io/files/FileCalls.ts"
import type { FileError } from "../../../src/io/files/FileError.ts"
import * as PositionalFile from "../../../src/io/files/PositionalFile.ts"
import * as FaultyFiles from "../../../src/testing/FaultyFiles.ts"
import * as MemoryDisk from "../../../src/testing/MemoryDisk.ts"
import { countCalls, memory, onEveryPlace, type Place, real, withFaults } from "../../support/worlds/places.ts"
import { quickDisk } from "../../support/worlds/quickDisk.ts"

const { Fail } = FaultyFiles.Fault

const oldBytes = new Uint8Array(10_000).fill(1)
const newBytes = Uint8Array.from({ length: 30_000 }, (_, i) => 2 + (i % 7))

/** A small save: two channels of their own, the main descriptor last. */
const save = (options: AtomicFile.Options): Effect.Effect<void, FileError> =>
  Effect.gen(function* () {
    const { commit, file, origin, path } = yield* AtomicFile.make(options)
    const channel = (from: number, to: number) =>
      Effect.gen(function* () {
        const channel = yield* PositionalFile.open(path, { access: "write" })
        yield* channel.write(origin + from, newBytes.subarray(from, to))
        yield* channel.sync
        yield* channel.close
      }).pipe(Effect.scoped)
    yield* Effect.all([channel(10_000, 20_000), channel(20_000, 30_000)], { concurrency: "unbounded" })
    yield* file.write(origin, newBytes.subarray(0, 10_000))
    yield* commit
  }).pipe(Effect.scoped)

/** An assertion that has failed is a failure of the test, whatever else comes of it. */
const assertionOf = <A, E>(exit: Exit.Exit<A, E>): unknown => {
  const reasons = Exit.isFailure(exit) ? exit.cause.reasons : []
  const defects = reasons.flatMap((reason) => (Cause.isDieReason(reason) ? [reason.defect] : []))
  return defects.find((defect) => defect instanceof Error && defect.name === "AssertionError")
}

/** Begins to write, and then does something else than to commit. */
const begin = <E>(
  options: AtomicFile.Options,
  then: (file: AtomicFile.AtomicFile) => Effect.Effect<void, E, Scope.Scope>
) =>
  AtomicFile.make(options).pipe(
    Effect.tap(({ file, origin }) => file.write(origin, newBytes)),
    Effect.flatMap(then),
    Effect.scoped,
    Effect.exit,
    Effect.tap((exit) => {
      const assertion = assertionOf(exit)
      return assertion === undefined ? Effect.void : Effect.die(assertion)
    })
  )

const endings: ReadonlyArray<readonly [string, Effect.Effect<void, string>]> = [
  ["left", Effect.void],
  ["failed", Effect.fail("no")],
  ["interrupted", Effect.interrupt],
  ["died", Effect.die("bug")]
]

/** Says where contents differ rather than all of what differs. */
const sameBytes = (actual: Uint8Array | undefined, expected: Uint8Array, where = ""): void => {
  const differs = expected.findIndex((byte, i) => actual?.[i] !== byte)
  assert.deepStrictEqual({ length: actual?.length, differs }, { length: expected.length, differs: -1 }, where)
}

const concat = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(parts))

describe("AtomicFile", () => {
  onEveryPlace("a new file appears complete, for the user only", (place) =>
    Effect.gen(function* () {
      yield* save({ path: place.path("x") })
      assert.deepStrictEqual(place.files(), ["x"])
      sameBytes(place.read("x"), newBytes)
      assert.strictEqual(place.stat("x")!.mode & 0o7777, 0o600)
    })
  )

  onEveryPlace("a file is replaced and keeps its permissions; until then it is as it was", (place) =>
    Effect.gen(function* () {
      place.write("x", oldBytes, 0o644)
      yield* begin({ path: place.path("x") }, ({ commit, inPlace, path }) =>
        Effect.gen(function* () {
          sameBytes(place.read("x"), oldBytes)
          assert.strictEqual(inPlace, false)
          assert.match(Path.basename(path), /^\.x\.[0-9a-f]+\.part$/)
          assert.deepStrictEqual(place.files(), [Path.basename(path), "x"])
          yield* commit
          sameBytes(place.read("x"), newBytes)
          yield* commit
        })
      )
      assert.deepStrictEqual(place.files(), ["x"])
      sameBytes(place.read("x"), newBytes)
      assert.strictEqual(place.stat("x")!.mode & 0o7777, 0o644)
    })
  )

  for (const [how, ending] of endings) {
    onEveryPlace(`without commit (${how}) the target is as it was`, (place) =>
      Effect.gen(function* () {
        place.write("old", oldBytes, 0o640)
        for (const name of ["old", "new"]) yield* begin({ path: place.path(name) }, () => ending)
        assert.deepStrictEqual(place.files(), ["old"])
        sameBytes(place.read("old"), oldBytes)
        assert.strictEqual(place.stat("old")!.mode & 0o7777, 0o640)
      })
    )
  }

  for (const [how, ending] of endings) {
    onEveryPlace(`without commit (${how}) what is to be kept stays, and the target is as it was`, (place) =>
      Effect.gen(function* () {
        place.write("old", oldBytes, 0o640)
        yield* begin({ path: place.path("old") }, ({ keep, path }) =>
          Effect.andThen(
            Effect.map(keep, (stays) => assert.isTrue(stays)),
            Effect.onExit(ending, () => Effect.sync(() => sameBytes(place.read(Path.basename(path)), newBytes)))
          )
        )
        const [kept, ...others] = place.files()
        assert.match(kept!, /^\.old\.[0-9a-f]+\.part$/)
        assert.deepStrictEqual(others, ["old"])
        sameBytes(place.read(kept!), newBytes)
        sameBytes(place.read("old"), oldBytes)
        assert.strictEqual(place.stat(kept!)!.mode & 0o7777, 0o640)
      })
    )
  }

  onEveryPlace("what has its name already is not kept, and that is told", (place) =>
    Effect.gen(function* () {
      yield* begin({ path: place.path("new") }, ({ commit, keep }) =>
        Effect.andThen(
          commit,
          Effect.map(keep, (stays) => assert.isFalse(stays))
        )
      )
      assert.deepStrictEqual(place.files(), ["new"])
      sameBytes(place.read("new"), newBytes)
    })
  )

  it.effect("what is to be kept is there after a power cut as soon as its name is durable", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const run = begin({ path: "/x" }, ({ file, keep, name }) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(disk.powerCut().files(), [])
          yield* name
          yield* file.sync
          const [left, ...others] = disk.powerCut().files()
          assert.deepStrictEqual(others, [])
          sameBytes(disk.powerCut().read(left!), newBytes)
          yield* keep
        })
      )
      assert.isTrue(Exit.isSuccess(yield* Effect.provide(run, disk.layer)))
      assert.strictEqual(disk.files().length, 1)
    })
  )

  onEveryPlace("in place, a file that has lost its name meanwhile, or lost it to another, is not there", (place) =>
    Effect.gen(function* () {
      place.write("x", oldBytes)
      place.write("y", oldBytes)
      const target = { path: place.path("x"), offset: 0 }
      const exit = (change: (calls: Calls) => (done: (error: ErrnoError | null) => void) => void) =>
        begin(target, ({ commit }) =>
          Effect.gen(function* () {
            const calls = yield* FileCalls
            yield* Effect.callback<void>((resume) => change(calls)(() => resume(Effect.void)))
            yield* commit
          })
        )
      const renamed = yield* exit((calls) => (done) => calls.rename(place.path("y"), target.path, done))
      assert.strictEqual((yield* Effect.flip(renamed))._tag, "FileReplacedError")
      sameBytes(place.read("x"), oldBytes)
      const removed = yield* exit((calls) => (done) => calls.unlink(target.path, done))
      assert.strictEqual((yield* Effect.flip(removed))._tag, "FileNotFoundError")
    })
  )

  onEveryPlace("a temporary file that another process replaced gets no name, and stays", (place) =>
    Effect.gen(function* () {
      place.write("old", oldBytes)
      const other = new Uint8Array(10).fill(9)
      const replaced = (name: string, then: (file: AtomicFile.AtomicFile) => Effect.Effect<void, FileError>) =>
        begin({ path: place.path(name) }, (file) =>
          Effect.gen(function* () {
            const calls = yield* FileCalls
            place.write("other", other)
            yield* Effect.callback<void>((resume) =>
              calls.rename(place.path("other"), file.path, () => resume(Effect.void))
            )
            yield* then(file)
          })
        )
      for (const name of ["old", "new"]) {
        const exit = yield* replaced(name, ({ commit }) => commit)
        assert.strictEqual((yield* Effect.flip(exit))._tag, "FileReplacedError")
        yield* replaced(name, () => Effect.void)
      }
      const [kept, ...others] = [...place.files()].toSorted((a, b) => b.length - a.length)
      assert.match(kept!, /^\.(?:old|new)\.[0-9a-f]+\.part$/)
      assert.deepStrictEqual(others.length, 4)
      for (const name of [kept!, ...others.slice(0, 3)]) sameBytes(place.read(name), other, name)
      assert.deepStrictEqual(others[3], "old")
      sameBytes(place.read("old"), oldBytes)
    })
  )

  it.effect.skipIf(process.platform !== "linux")("a name that is not UTF-8 is not taken for another one", () =>
    Effect.gen(function* () {
      const place = yield* real()
      const named = (...bytes: ReadonlyArray<number>) =>
        Buffer.concat([Buffer.from(place.path("d")), Buffer.from(bytes)])
      Fs.mkdirSync(named(0xff))
      Fs.mkdirSync(place.path("d\ufffd"))
      Fs.symlinkSync(Buffer.from([0x64, 0xff]), place.path("link"))
      Fs.symlinkSync(Buffer.from([0x6e, 0xff]), place.path("dangling"))
      Fs.writeFileSync(Buffer.concat([named(0xff), Buffer.from("/old")]), oldBytes)
      for (const name of ["link/new", "link/old", "dangling"]) {
        const error = yield* Effect.flip(save({ path: place.path(name) }))
        assert.include(error, { _tag: "FileIoError", code: "EILSEQ" }, name)
        assert.include(error.message, "expected a path in UTF-8, found other bytes")
      }
      yield* save({ path: place.path("d\ufffd/new") })
      sameBytes(place.read("d\ufffd/new"), newBytes)
      assert.deepStrictEqual(Fs.readdirSync(named(0xff)), ["old"])
      assert.deepStrictEqual(Fs.readdirSync(place.path("d\ufffd")), ["new"])
    })
  )

  it.effect("in place there is nothing to be kept or named", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      disk.write("/x", oldBytes)
      yield* Effect.provide(
        begin({ path: "/x", offset: 100 }, ({ keep, name }) =>
          Effect.andThen(
            name,
            Effect.map(keep, (kept) => assert.isFalse(kept))
          )
        ),
        disk.layer
      )
      assert.deepStrictEqual(disk.files(), ["/x"])
      sameBytes(disk.read("/x"), oldBytes.subarray(0, 100))
    })
  )

  onEveryPlace("links are followed and stay, also to a file that is yet to be", (place) =>
    Effect.gen(function* () {
      place.write("deep/down/file", oldBytes)
      place.link("first", "second")
      place.link("second", "deep/down/file")
      place.link("deep/dangling", "down/new")
      place.link("absolute", place.path("deep/dangling"))
      yield* save({ path: place.path("first") })
      yield* save({ path: place.path("absolute") })
      assert.deepStrictEqual(place.files(), [
        "absolute",
        "deep/dangling",
        "deep/down/file",
        "deep/down/new",
        "first",
        "second"
      ])
      assert.deepStrictEqual(place.read("deep/down/file"), newBytes)
      assert.deepStrictEqual(place.read("deep/down/new"), newBytes)
    })
  )

  onEveryPlace("what cannot be replaced or written is refused", (place) =>
    Effect.gen(function* () {
      place.fifo("fifo")
      place.directory("directory")
      place.write("file", oldBytes)
      place.link("loop", "loop")
      const refused = (name: string, offset?: number) =>
        Effect.flip(Effect.scoped(AtomicFile.make({ path: place.path("") + name, offset })))
      assert.include(yield* refused("/fifo"), { _tag: "NotSeekableError", kind: "fifo" })
      assert.include(yield* refused("/fifo", 5), { _tag: "NotSeekableError", kind: "fifo" })
      assert.include(yield* refused("/directory"), { _tag: "NotSeekableError", kind: "directory" })
      assert.include(yield* refused("/new/"), { _tag: "NotSeekableError", kind: "directory" })
      assert.include(yield* refused("/missing/new"), { _tag: "FileNotFoundError", code: "ENOENT" })
      assert.include(yield* refused("/file/new"), { _tag: "FileNotFoundError", code: "ENOTDIR" })
      assert.include(yield* refused("/loop"), { _tag: "FileIoError", code: "ELOOP" })
      assert.include(yield* refused("/file", -1), { _tag: "FileIoError", code: "EINVAL" })
      assert.deepStrictEqual(place.files(), ["fifo", "file", "loop"])
    })
  )

  it.effect("a protected file or directory stays as it is", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      disk.write("/file", oldBytes, { mode: 0o400 })
      disk.write("/closed/file", oldBytes)
      disk.chmod("/closed", 0o500)
      for (const path of ["/file", "/closed/file", "/closed/new"]) {
        const error = yield* Effect.flip(Effect.provide(Effect.scoped(AtomicFile.make({ path })), disk.layer))
        assert.include(error, { _tag: "FilePermissionError", code: "EACCES" })
      }
      assert.deepStrictEqual(disk.files(), ["/closed/file", "/file"])
      sameBytes(disk.read("/file"), oldBytes)
    })
  )

  it.effect("the new file belongs to whom the old one did; where that cannot be, not to another group", () =>
    Effect.gen(function* () {
      for (const place of [yield* memory(), yield* real()]) {
        if (place.kind === "real" && process.getuid?.() !== 0) continue
        place.write("x", oldBytes, 0o664)
        const give = PositionalFile.open(place.path("x"), { access: "write" }).pipe(
          Effect.flatMap((file) => file.chown(1234, 2345)),
          Effect.scoped
        )
        yield* withFaults(place, FaultyFiles.none, Effect.andThen(give, save({ path: place.path("x") })))
        assert.include(place.stat("x"), { uid: 1234, gid: 2345 })
        assert.strictEqual(place.stat("x")!.mode & 0o7777, 0o664)
        const refuse = FaultyFiles.when(({ name }) => name === "fchown", Fail({ code: "EPERM" }))
        yield* withFaults(place, refuse, save({ path: place.path("x") }))
        assert.notStrictEqual(place.stat("x")!.uid, 1234)
        assert.strictEqual(place.stat("x")!.mode & 0o7777, 0o604)
      }
    })
  )

  onEveryPlace("an offset in a file: what is in front stays, what is behind goes", (place) =>
    Effect.gen(function* () {
      place.write("x", new Uint8Array(50_000).fill(1))
      yield* save({ path: place.path("x"), offset: 4000 })
      sameBytes(place.read("x"), concat(oldBytes.subarray(0, 4000), newBytes))
      yield* save({ path: place.path("x"), offset: 0 })
      sameBytes(place.read("x"), newBytes)
      yield* save({ path: place.path("x"), offset: 31_000 })
      sameBytes(place.read("x"), concat(newBytes, new Uint8Array(1000), newBytes))
      assert.deepStrictEqual(place.files(), ["x"])
    })
  )

  onEveryPlace("an offset in a missing file: a file with a hole, atomically", (place) =>
    Effect.gen(function* () {
      yield* begin({ path: place.path("x"), offset: 4096 }, () => Effect.interrupt)
      assert.deepStrictEqual(place.files(), [])
      yield* save({ path: place.path("x"), offset: 4096 })
      assert.deepStrictEqual(place.files(), ["x"])
      sameBytes(place.read("x"), concat(new Uint8Array(4096), newBytes))
    })
  )

  for (const [how, ending] of endings) {
    onEveryPlace(`in place, without commit (${how}), the file ends where the image was to begin`, (place) =>
      Effect.gen(function* () {
        place.write("x", oldBytes)
        yield* begin({ path: place.path("x"), offset: 20_000 }, ({ inPlace }) => {
          assert.strictEqual(inPlace, true)
          return ending
        })
        sameBytes(place.read("x"), oldBytes, "nothing was lost, so nothing has changed")
        yield* begin({ path: place.path("x"), offset: 4000 }, () => ending)
        sameBytes(place.read("x"), oldBytes.subarray(0, 4000))
      })
    )
  }

  it.effect("devices are written in place", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      disk.device("/dev/disk", 65_536)
      disk.special("/dev/null", "character device")
      disk.link("/link", "dev/disk")
      yield* Effect.provide(save({ path: "/link" }), disk.layer)
      sameBytes(disk.read("/dev/disk"), concat(newBytes, new Uint8Array(35_536)))
      yield* Effect.provide(save({ path: "/dev/disk", offset: 35_536 }), disk.layer)
      sameBytes(disk.read("/dev/disk"), concat(newBytes, new Uint8Array(5536), newBytes))
      const error = yield* Effect.flip(Effect.provide(save({ path: "/dev/disk", offset: 40_000 }), disk.layer))
      assert.include(error, { _tag: "NoSpaceError", code: "ENOSPC" })
      assert.strictEqual(disk.read("/dev/disk")!.length, 65_536)
      for (const offset of [undefined, 0, 4096]) {
        const refused = yield* Effect.flip(Effect.provide(save({ path: "/dev/null", offset }), disk.layer))
        assert.include(refused, { _tag: "NotSeekableError", kind: "character device" })
      }
      assert.deepStrictEqual(disk.files(), ["/dev/disk", "/dev/null", "/link"])
    })
  )

  it.effect("a full disk leaves the old file, and all of its space", () =>
    Effect.gen(function* () {
      for (let chunks = 3; chunks < 13; chunks++) {
        const disk = MemoryDisk.make({ capacity: chunks * 4096 })
        disk.write("/x", oldBytes)
        const exit = yield* Effect.exit(Effect.provide(save({ path: "/x" }), disk.layer))
        const isNew = chunks >= 11
        assert.strictEqual(Exit.isSuccess(exit), isNew, `${chunks} chunks`)
        if (!isNew) assert.include(yield* Effect.flip(exit), { _tag: "NoSpaceError", code: "ENOSPC" })
        sameBytes(disk.read("/x"), isNew ? newBytes : oldBytes)
        assert.deepStrictEqual(disk.files(), ["/x"])
      }
    })
  )

  it.effect("a name that is taken is not used", () =>
    Effect.gen(function* () {
      const place = yield* memory()
      const taken = FaultyFiles.at(4, Fail({ code: "EEXIST" }))
      const plan: FaultyFiles.Plan = (call) => (call.name === "open" ? taken(call) : undefined)
      yield* withFaults(place, plan, save({ path: place.path("x") }))
      sameBytes(place.read("x"), newBytes)
      const always = FaultyFiles.when(
        ({ name, path }) => name === "open" && path.endsWith(".part"),
        Fail({ code: "EEXIST" })
      )
      const error = yield* Effect.flip(withFaults(place, always, save({ path: place.path("x") })))
      assert.include(error, { _tag: "FileIoError", code: "EEXIST" })
      sameBytes(place.read("x"), newBytes)
    })
  )

  it.effect("a directory that cannot be synced by its file system has nothing to sync", () =>
    Effect.gen(function* () {
      const place = yield* memory()
      const plan = FaultyFiles.when(({ name }) => name === "fsync", Fail({ code: "EINVAL" }))
      yield* withFaults(place, plan, save({ path: place.path("x") }))
      assert.deepStrictEqual(place.files(), ["x"])
    })
  )

  it.effect("long names leave room for the temporary one", () =>
    Effect.gen(function* () {
      const place = yield* real()
      for (const name of ["a".repeat(255), "ü".repeat(127), "🙂".repeat(63)]) {
        yield* save({ path: place.path(name) })
        sameBytes(place.read(name), newBytes)
      }
    })
  )
})

/** What a save may meet, and the calls that can meet it. */
const faults: ReadonlyArray<readonly [code: string, tag: FileError["_tag"]]> = [
  ["EIO", "FileIoError"],
  ["ENOSPC", "NoSpaceError"],
  ["EDQUOT", "NoSpaceError"],
  ["EACCES", "FilePermissionError"]
]

/** Everything that must hold when call k of a save failed. */
const checkFailedSave = (place: Place, k: number, code: string, tag: string, once: boolean) =>
  Effect.gen(function* () {
    const plan = (once ? FaultyFiles.at : FaultyFiles.from)(k, Fail({ code }))
    const log: Array<FaultyFiles.Call> = []
    const watched: FaultyFiles.Plan = (call) => {
      log.push(call)
      return plan(call)
    }
    const exit = yield* Effect.exit(withFaults(place, watched, save({ path: place.path("x") })))
    const failed = log[k]!
    const where = `${code} in call ${k}, ${failed.name} of ${failed.path}`
    const renamed = log.findIndex(({ name }) => name === "rename")
    const isNew = Exit.isSuccess(exit) || (renamed >= 0 && renamed < k)
    sameBytes(place.read("x"), isNew ? newBytes : oldBytes, where)
    if (once) assert.deepStrictEqual(place.files(), ["x"], where)
    if (Exit.isSuccess(exit)) {
      assert.isTrue(failed.name === "close" || (failed.name === "fchown" && code === "EACCES"), where)
    } else {
      const error = yield* Effect.flip(exit)
      assert.strictEqual(error._tag, isNew ? "UnconfirmedError" : tag, where)
      assert.strictEqual(error.code, code, where)
    }
  })

/** Fails every call of a save in turn, with every error. */
const failEveryCall = (make: Effect.Effect<Place, never, Scope.Scope>, once: boolean) =>
  Effect.gen(function* () {
    const counted = yield* make
    counted.write("x", oldBytes)
    const calls = yield* countCalls(counted, save({ path: counted.path("x") }))
    assert.isAbove(calls, 15)
    for (const [code, tag] of faults) {
      for (let k = 0; k < calls; k++) {
        const check = Effect.gen(function* () {
          const place = yield* make
          place.write("x", oldBytes)
          yield* checkFailedSave(place, k, code, tag, once)
        })
        yield* Effect.scoped(check)
      }
    }
  })

describe("AtomicFile in the calling thread", () => {
  it.effect.each([undefined, 0])("is written there where that suits the file: offset %s", (offset) =>
    Effect.gen(function* () {
      const { calls, moved } = quickDisk({ suits: true })
      const exists = PositionalFile.open("/x", { access: "write", create: "exclusive" })
      yield* Effect.scoped(exists).pipe(Effect.provideService(FileCalls, calls))
      const write = Effect.gen(function* () {
        const { file } = yield* AtomicFile.make({ path: "/x", offset })
        yield* file.write(0, newBytes.subarray(0, 10))
      })
      yield* Effect.scoped(write).pipe(Effect.provideService(FileCalls, calls))
      assert.strictEqual(moved.write, 1)
    })
  )
})

describe("AtomicFile under faults", () => {
  it.effect("call k of a save fails once (real disk)", () => failEveryCall(real(), true))
  it.effect("call k of a save fails once (memory)", () => failEveryCall(memory({ seed: 7 }), true))
  it.effect("from call k on every call fails (real disk)", () => failEveryCall(real(), false))
  it.effect("from call k on every call fails (memory)", () => failEveryCall(memory({ seed: 8 }), false))
})

/** Interrupts a save when it makes call k, and gives what it did. */
const interruptAt = (place: Place, k: number) =>
  Effect.gen(function* () {
    const log: Array<string> = []
    let interrupt = (): void => undefined
    const plan: FaultyFiles.Plan = ({ index, name }) => {
      log.push(name)
      if (index === k) interrupt()
      return undefined
    }
    const fiber = yield* Effect.forkChild(withFaults(place, plan, save({ path: place.path("x") })))
    interrupt = () => fiber.interruptUnsafe()
    const exit = yield* Fiber.await(fiber)
    return { exit, log }
  })

describe("AtomicFile under interruption", () => {
  it.effect("at every call: the old file or the new one, no litter, nothing left open", () =>
    Effect.gen(function* () {
      const counted = yield* memory()
      counted.write("x", oldBytes)
      const calls = yield* countCalls(counted, save({ path: counted.path("x") }))
      for (let k = 0; k < calls; k++) {
        const place = yield* memory({ seed: k })
        place.write("x", oldBytes)
        const { exit, log } = yield* interruptAt(place, k)
        const isNew = log.includes("rename")
        sameBytes(place.read("x"), isNew ? newBytes : oldBytes, `call ${k}`)
        assert.deepStrictEqual(place.files(), ["x"], `call ${k}`)
        assert.strictEqual(log.includes("fsync"), isNew, "a new name is made durable")
        assert.isFalse(isNew && log.includes("unlink"), "only what is there is removed")
        assert.isTrue(!isNew || log.indexOf("rename") <= k, `call ${k}: it is given no name any more`)
        assert.isTrue(Exit.isSuccess(exit) ? isNew : Exit.hasInterrupts(exit), `call ${k}`)
      }
    })
  )
})

describe("AtomicFile and power cuts", () => {
  const cuts: ReadonlyArray<readonly [string, (change: MemoryDisk.Unsynced) => boolean]> = [
    ["nothing else", () => false],
    ["everything else", () => true],
    ["names but no content", (change) => change._tag === "Names"],
    ["content but no names", (change) => change._tag !== "Names"]
  ]
  for (const [what, keep] of cuts) {
    it.effect(`at every call: the old file or the new one, where ${what} is spared`, () =>
      Effect.gen(function* () {
        const disk = MemoryDisk.make({ seed: 9 })
        disk.write("/x", oldBytes)
        const seen: Array<boolean> = []
        const cutBefore: FaultyFiles.Plan = () => {
          const left = disk.powerCut(keep).read("/x")
          const isNew = left?.length === newBytes.length
          seen.push(isNew)
          sameBytes(left, isNew ? newBytes : oldBytes)
          return undefined
        }
        const files = FaultyFiles.make(cutBefore, disk.calls)
        yield* Effect.provideService(save({ path: "/x" }), FileCalls, files.calls)
        sameBytes(disk.powerCut(keep).read("/x"), newBytes)
        assert.strictEqual(seen[0], false)
        assert.isAbove(seen.length, 15)
      })
    )
  }
})
