import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import { type Calls, type ErrnoError, FileCalls, node } from "../../src/io/files/FileCalls.ts"
import * as PositionalFile from "../../src/io/files/PositionalFile.ts"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"

const { Fail, Short } = FaultyFiles.Fault
const { O_CREAT, O_RDWR } = Fs.constants

type Answer = readonly [error: ErrnoError | null, value: unknown]

const answer = (start: (done: (error: ErrnoError | null, value?: unknown) => void) => void): Effect.Effect<Answer> =>
  Effect.callback((resume) => start((error, value) => resume(Effect.succeed([error, value]))))

/** Every call once, in an order in which all of them succeed, by name. */
const everyCall = (calls: Calls, fd: number): Record<FaultyFiles.Name, Effect.Effect<Answer>> => ({
  open: answer((done) => calls.open("/x", O_RDWR | O_CREAT, 0o600, done)),
  write: answer((done) => calls.write(fd, Uint8Array.of(1, 2, 3), 0, 3, 0, done)),
  read: answer((done) => calls.read(fd, new Uint8Array(3), 0, 3, 0, done)),
  fdatasync: answer((done) => calls.fdatasync(fd, done)),
  fsync: answer((done) => calls.fsync(fd, done)),
  ftruncate: answer((done) => calls.ftruncate(fd, 1, done)),
  fchmod: answer((done) => calls.fchmod(fd, 0o640, done)),
  fchown: answer((done) => calls.fchown(fd, 7, 8, done)),
  fstat: answer((done) => calls.fstat(fd, done)),
  stat: answer((done) => calls.stat("/x", done)),
  readlink: answer((done) => calls.readlink("/link", done)),
  realpath: answer((done) => calls.realpath("/link", done)),
  close: answer((done) => calls.close(fd, done)),
  rename: answer((done) => calls.rename("/x", "/y", done)),
  link: answer((done) => calls.link("/y", "/z", done)),
  unlink: answer((done) => calls.unlink("/y", done)),
  mkdir: answer((done) => calls.mkdir("/directory", 0o700, done)),
  readdir: answer((done) => calls.readdir("/", done))
})

const names = Object.keys(everyCall(node, 0)) as ReadonlyArray<FaultyFiles.Name>

const perform = (plan: FaultyFiles.Plan) =>
  Effect.gen(function* () {
    const disk = MemoryDisk.make()
    disk.link("/link", "x")
    const files = FaultyFiles.make(plan, disk.calls)
    const answers = new Map<string, Answer>()
    for (const [name, call] of Object.entries(everyCall(files.calls, 3))) answers.set(name, yield* call)
    return { disk, files, answers }
  })

/** The calls that fail with EDQUOT. */
const failures = (plan: FaultyFiles.Plan) =>
  Effect.map(perform(plan), ({ answers }) =>
    [...answers].filter(([, [error]]) => error?.code === "EDQUOT").map(([name]) => name)
  )

describe("FaultyFiles", () => {
  it.effect("without faults every call is what it was, and is counted", () =>
    Effect.gen(function* () {
      const { answers, files } = yield* perform(FaultyFiles.none)
      for (const [name, [error]] of answers) assert.isNull(error ?? null, name)
      assert.deepStrictEqual(
        files.log().map(({ index, name }) => [index, name]),
        names.map((name, index) => [index, name])
      )
      assert.include(files.log()[1], { path: "/x", position: 0, length: 3 })
      assert.deepStrictEqual(files.openFiles(), [])
    })
  )

  it.effect.each(names)("%s fails as it would in Node, and does nothing", (name) =>
    Effect.gen(function* () {
      const plan = FaultyFiles.when((call) => call.name === name, Fail({ code: "EIO" }))
      const { answers, disk, files } = yield* perform(plan)
      const [error] = answers.get(name)!
      assert.instanceOf(error, Error)
      assert.include(error, { code: "EIO", errno: -5, syscall: name })
      if (name === "close" || name === "open") assert.deepStrictEqual(disk.openFiles(), [])
      if (name === "rename") assert.deepStrictEqual(disk.files(), ["/link", "/x"])
      if (name === "link") assert.deepStrictEqual(disk.files(), ["/link"])
      if (name === "unlink") assert.deepStrictEqual(disk.files(), ["/link", "/y", "/z"])
      assert.deepStrictEqual(files.openFiles(), [])
    })
  )

  it.effect("a call meets its fault once, or it and all that match from then on", () =>
    Effect.gen(function* () {
      const fault = Fail({ code: "EDQUOT" })
      assert.deepStrictEqual(yield* failures(FaultyFiles.at(2, fault)), ["read"])
      assert.deepStrictEqual(yield* failures(FaultyFiles.at(99, fault)), [])
      assert.deepStrictEqual(yield* failures(FaultyFiles.from(5, fault)), names.slice(5))
      const syncs = FaultyFiles.from(0, fault, ({ name }) => name.includes("sync"))
      assert.deepStrictEqual(yield* failures(syncs), ["fdatasync", "fsync"])
    })
  )

  it.effect("reads and writes come back short, or with nothing; other calls do not", () =>
    Effect.gen(function* () {
      const short = yield* perform(FaultyFiles.from(0, Short({ bytes: 2 })))
      assert.strictEqual(short.answers.get("write")![1], 2)
      assert.strictEqual(short.answers.get("read")![1], 2)
      for (const [name, [error]] of short.answers) assert.isNull(error ?? null, name)
      const nothing = yield* perform(FaultyFiles.from(0, Short({ bytes: 0 })))
      assert.strictEqual(nothing.answers.get("write")![1], 0)
      assert.strictEqual(nothing.answers.get("read")![1], 0)
      const enough = yield* perform(FaultyFiles.from(0, Short({ bytes: 50 })))
      assert.strictEqual(enough.answers.get("write")![1], 3)
    })
  )

  it.effect("knows what is open", () =>
    Effect.gen(function* () {
      const files = FaultyFiles.make(FaultyFiles.none, MemoryDisk.make().calls)
      const use = Effect.gen(function* () {
        yield* PositionalFile.open("/x", { access: "write", create: "if-missing" })
        const y = yield* PositionalFile.open("/y", { access: "write", create: "if-missing" })
        assert.deepStrictEqual(files.openFiles(), ["/x", "/y"])
        yield* y.close
        assert.deepStrictEqual(files.openFiles(), ["/x"])
      })
      yield* use.pipe(Effect.scoped, Effect.provide(files.layer))
      assert.deepStrictEqual(files.openFiles(), [])
    })
  )

  it.effect("the layer is what everything below it uses; without one it is Node", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* FileCalls, node)
      const files = FaultyFiles.make(FaultyFiles.none)
      assert.strictEqual(yield* Effect.provide(FileCalls, files.layer), files.calls)
      const stat = yield* answer((done) => files.calls.stat("/", done))
      assert.isNull(stat[0])
    })
  )
})
