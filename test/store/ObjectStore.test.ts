import { assert, describe, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Path from "node:path"
import { FileCalls } from "../../src/io/files/FileCalls.ts"
import * as DirectoryObjects from "../../src/store/DirectoryObjects.ts"
import * as MemoryObjects from "../../src/store/MemoryObjects.ts"
import { ObjectStore } from "../../src/store/ObjectStore.ts"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
const names = (prefix: string) =>
  Effect.flatMap(ObjectStore, (store) =>
    Effect.map(Stream.runCollect(store.list(prefix)), (found) => found.map(({ name }) => name).toSorted())
  )

const onDisk = (disk: MemoryDisk.MemoryDisk) => DirectoryObjects.layer("/store").pipe(Layer.provideMerge(disk.layer))

const temporary = Layer.unwrap(
  Effect.map(Workspace.directory(), (path) => DirectoryObjects.layer(Path.join(path, "new", "store")))
)

const kinds: ReadonlyArray<readonly [name: string, layer: () => Layer.Layer<ObjectStore>]> = [
  ["in memory", () => MemoryObjects.make().layer],
  ["in a directory", () => temporary],
  ["in a directory of a disk in memory", () => onDisk(MemoryDisk.make())]
]

describe.each(kinds)("objects %s", (_, layer) => {
  it.effect("an object is created once, and never changed", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      assert.strictEqual(yield* store.putIfAbsent("map/a/b-0", [bytes("one"), bytes("two")]), "created")
      assert.strictEqual(yield* store.putIfAbsent("map/a/b-0", bytes("three")), "exists")
      assert.deepStrictEqual(yield* store.get("map/a/b-0"), bytes("onetwo"))
    }).pipe(Effect.provide(layer()))
  )

  it.effect("of many that create one name at once, one has created it", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      const put = (writer: number) => store.putIfAbsent("vm/a/b/0", new Uint8Array(2000).fill(writer))
      const answers = yield* Effect.forEach([1, 2, 3, 4, 5, 6, 7, 8], put, { concurrency: "unbounded" })
      assert.strictEqual(answers.filter((answer) => answer === "created").length, 1)
      const writer = 1 + answers.indexOf("created")
      assert.deepStrictEqual(yield* store.get("vm/a/b/0"), new Uint8Array(2000).fill(writer))
    }).pipe(Effect.provide(layer()))
  )

  it.effect("a store without objects knows the time", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      assert.isAtLeast(yield* store.now, 0)
      assert.deepStrictEqual(yield* names(""), [])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("a range is its bytes, and fewer where the object ends", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      yield* store.putIfAbsent("config", bytes("0123456789"))
      const at = (offset: number, length: number) => store.get("config", { offset, length })
      assert.deepStrictEqual(yield* at(3, 4), bytes("3456"))
      assert.deepStrictEqual(yield* at(8, 4), bytes("89"))
      assert.deepStrictEqual(yield* at(10, 4), bytes(""))
      assert.deepStrictEqual(yield* at(0, 0), bytes(""))
    }).pipe(Effect.provide(layer()))
  )

  it.effect("an object that is missing fails by its name", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      const error = yield* Effect.flip(store.get("map/a/b-7"))
      assert.strictEqual(error._tag, "ObjectMissingError")
      assert.include(error.message, "expected the object map/a/b-7, found none")
    }).pipe(Effect.provide(layer()))
  )

  it.effect("a listing has the names of a prefix, with bytes and time", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      assert.deepStrictEqual(yield* names("pack/"), [])
      const all = ["config", "pack/a/x-0", "pack/a/x-1", "pack/b/x-0", "vm/a/b/0"]
      for (const name of all) yield* store.putIfAbsent(name, bytes(name))
      assert.deepStrictEqual(yield* names(""), all)
      assert.deepStrictEqual(yield* names("pack/"), all.slice(1, 4))
      assert.deepStrictEqual(yield* names("pack/a/x-1"), ["pack/a/x-1"])
      assert.deepStrictEqual(yield* names("conf"), ["config"])
      const now = yield* store.now
      for (const info of yield* Stream.runCollect(store.list(""))) {
        assert.strictEqual(info.bytes, info.name.length)
        assert.isBelow(Math.abs(now - info.modified), 60_000)
      }
    }).pipe(Effect.provide(layer()))
  )

  it.effect("what is removed can be created again, and removing nothing is no failure", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      yield* store.putIfAbsent("pack/a/x-0", bytes("a"))
      yield* store.remove(["pack/a/x-0", "pack/a/x-1", "pack/none/x-1"])
      assert.deepStrictEqual(yield* names(""), [])
      assert.strictEqual(yield* store.putIfAbsent("pack/a/x-0", bytes("b")), "created")
    }).pipe(Effect.provide(layer()))
  )
})

describe("objects in a directory", () => {
  const put = Effect.flatMap(ObjectStore, (store) => store.putIfAbsent("pack/a/x-0", [bytes("one"), bytes("two")]))

  it.effect("the path can come from a configuration", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const provider = ConfigProvider.fromEnv({ env: { STORE: "/backups" } })
      yield* put.pipe(
        Effect.provide(DirectoryObjects.layerConfig(Config.String("STORE")).pipe(Layer.provideMerge(disk.layer))),
        Effect.provideService(ConfigProvider.ConfigProvider, provider)
      )
      assert.deepStrictEqual(disk.files().map(String), ["/backups/pack/a/x-0"])
    })
  )

  it.effect("whatever call fails, there is a complete object or none, and a next try makes it", () =>
    Effect.gen(function* () {
      const calls = FaultyFiles.make(FaultyFiles.none, MemoryDisk.make().calls)
      yield* put.pipe(Effect.provide(DirectoryObjects.layer("/store").pipe(Layer.provideMerge(calls.layer))))
      const count = calls.log().length
      assert.isAbove(count, 10)
      for (let index = 0; index < count; index++) {
        const disk = MemoryDisk.make()
        const plan = FaultyFiles.when((call) => call.index === index, FaultyFiles.Fault.Fail({ code: "EIO" }))
        const faulty = FaultyFiles.make(plan, disk.calls)
        const first = yield* put.pipe(
          Effect.provide(DirectoryObjects.layer("/store").pipe(Layer.provideMerge(faulty.layer))),
          Effect.exit
        )
        const objects = disk.files().filter((path) => !Path.basename(path).startsWith("."))
        if (first._tag === "Success") assert.deepStrictEqual(objects, ["/store/pack/a/x-0"], `call ${index}`)
        for (const path of objects) assert.deepStrictEqual(disk.read(path), bytes("onetwo"))
        assert.deepStrictEqual(faulty.openFiles(), [])
        yield* put.pipe(Effect.provide(onDisk(disk)))
        assert.deepStrictEqual(disk.read("/store/pack/a/x-0"), bytes("onetwo"))
      }
    })
  )

  it.effect("a full disk and a missing permission are errors of their own", () =>
    Effect.gen(function* () {
      const failing = (code: string, name: FaultyFiles.Name) => {
        const plan = FaultyFiles.when((call) => call.name === name, FaultyFiles.Fault.Fail({ code }))
        const faulty = FaultyFiles.make(plan, MemoryDisk.make().calls)
        return Effect.flip(
          put.pipe(Effect.provide(DirectoryObjects.layer("/store").pipe(Layer.provideMerge(faulty.layer))))
        )
      }
      assert.strictEqual((yield* failing("ENOSPC", "write"))._tag, "StoreFullError")
      assert.strictEqual((yield* failing("EACCES", "mkdir"))._tag, "StoreAccessError")
      assert.strictEqual((yield* failing("EIO", "fdatasync"))._tag, "StoreUnavailableError")
    })
  )

  it.effect("an object that was created is there after every power cut, with all of its bytes", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      yield* put.pipe(Effect.provide(onDisk(disk)))
      assert.deepStrictEqual(disk.powerCut().read("/store/pack/a/x-0"), bytes("onetwo"))
    })
  )

  it.effect("a power cut in the middle leaves a complete object or none", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const seen = new Set<string>()
      const inspect = (keep: MemoryDisk.Keep) => {
        const content = disk.powerCut(keep).read("/store/pack/a/x-0")
        seen.add(content === undefined ? "none" : Buffer.from(content).toString())
      }
      const watched = {
        ...disk.calls,
        fdatasync: (fd: number, done: Parameters<typeof disk.calls.fdatasync>[1]) => {
          inspect(() => true)
          disk.calls.fdatasync(fd, done)
        },
        fsync: (fd: number, done: Parameters<typeof disk.calls.fsync>[1]) => {
          inspect((change) => change._tag === "Names")
          inspect(() => false)
          disk.calls.fsync(fd, done)
        }
      }
      const files = Layer.succeed(FileCalls, watched)
      yield* put.pipe(Effect.provide(DirectoryObjects.layer("/store").pipe(Layer.provideMerge(files))))
      assert.deepStrictEqual([...seen].toSorted(), ["none", "onetwo"])
    })
  )

  it.effect("a name that the temporary file has already is a repeated success", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const repeating = {
        ...disk.calls,
        link: (from: string, to: string, done: Parameters<typeof disk.calls.link>[2]) =>
          disk.calls.link(from, to, (error) => (error === null ? disk.calls.link(from, to, done) : done(error)))
      }
      const files = Layer.succeed(FileCalls, repeating)
      const answer = yield* put.pipe(Effect.provide(DirectoryObjects.layer("/store").pipe(Layer.provideMerge(files))))
      assert.strictEqual(answer, "created")
    })
  )
})
