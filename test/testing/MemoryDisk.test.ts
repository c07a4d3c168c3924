import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as AlignedMemory from "../../src/io/files/AlignedMemory.ts"
import { type Calls, type ErrnoError, node } from "../../src/io/files/FileCalls.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const { O_CREAT, O_DIRECT, O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = Fs.constants

/** What a call answers: its value, or the name of its error. */
const answer = <A>(start: (done: (error: ErrnoError | null, value: A) => void) => void): Effect.Effect<A | string> =>
  Effect.callback((resume) => start((error, value) => resume(Effect.succeed(error ? error.code! : value))))

const done = (start: (done: (error: ErrnoError | null) => void) => void): Effect.Effect<string> =>
  Effect.map(
    answer<void>((done) => start((error) => done(error))),
    (error) => error ?? "done"
  )

const open = (calls: Calls, path: string, flags: number, mode = 0o600) =>
  answer<number>((done) => calls.open(path, flags, mode, done))

const write = (calls: Calls, fd: number, data: Uint8Array, position: number) =>
  answer<number>((done) => calls.write(fd, data, 0, data.length, position, done))

const read = (calls: Calls, fd: number, target: Uint8Array, position: number) =>
  answer<number>((done) => calls.read(fd, target, 0, target.length, position, done))

const openOk = (calls: Calls, path: string, flags: number) =>
  Effect.map(open(calls, path, flags), (fd) => {
    assert.isNumber(fd, `open ${path}`)
    return fd as number
  })

const Position = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 30_000 }))
/** Node does not ask the kernel for nothing. */
const Length = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 30_000 }))
const Slot = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 }))
const fileNames = ["a", "b", "d/c", "d/d", "a/x", "none/x", "link", "dangling", "loop", "d/up"] as const
const Name = Schema.Literals([...fileNames, "d", "."])
/** Directories are not renamed. */
const FileName = Schema.Literals(fileNames)
const flagSets = [
  O_RDONLY,
  O_WRONLY,
  O_RDWR,
  O_RDWR | O_CREAT,
  O_WRONLY | O_CREAT | O_EXCL,
  O_RDWR | O_TRUNC,
  O_DIRECTORY
]
const Step = Schema.Union([
  Schema.TaggedStruct("open", { slot: Slot, name: Name, flags: Schema.Literals(flagSets) }),
  Schema.TaggedStruct("close", { slot: Slot }),
  Schema.TaggedStruct("read", { slot: Slot, position: Position, length: Length }),
  Schema.TaggedStruct("write", { slot: Slot, position: Position, length: Position }),
  Schema.TaggedStruct("sync", { slot: Slot }),
  Schema.TaggedStruct("truncate", { slot: Slot, length: Position }),
  Schema.TaggedStruct("chmod", { slot: Slot }),
  Schema.TaggedStruct("fstat", { slot: Slot }),
  Schema.TaggedStruct("stat", { name: Name }),
  Schema.TaggedStruct("readlink", { name: Name }),
  Schema.TaggedStruct("realpath", { name: Name }),
  Schema.TaggedStruct("rename", { name: FileName, to: FileName }),
  Schema.TaggedStruct("unlink", { name: FileName }),
  Schema.TaggedStruct("link", { name: FileName, to: FileName }),
  Schema.TaggedStruct("mkdir", { name: Name }),
  Schema.TaggedStruct("readdir", { name: Name })
])
const Steps = Schema.Array(Step).check(Schema.isMaxLength(60))

const summary = (stat: unknown, base: string): unknown => {
  if (typeof stat === "string") return stat.replace(base, "")
  if (typeof stat !== "object" || stat === null || !("mode" in stat) || !("size" in stat)) return stat
  const isDirectory = (Number(stat.mode) & Fs.constants.S_IFMT) === Fs.constants.S_IFDIR
  return isDirectory ? "directory" : { mode: stat.mode, size: stat.size }
}

/** Does one step; descriptors are kept in slots, so that steps mean the same on every disk. */
const perform = (calls: Calls, base: string, slots: Array<number>, step: typeof Step.Type): Effect.Effect<unknown> => {
  const fd = "slot" in step ? (slots[step.slot] ?? 9999) : 9999
  const path = "name" in step ? Path.posix.join(base, step.name) : base
  switch (step._tag) {
    case "open":
      return Effect.map(open(calls, path, step.flags), (answer) => {
        if (typeof answer === "string") return answer
        slots[step.slot] = answer
        return "opened"
      })
    case "close":
      return Effect.tap(
        done((done) => calls.close(fd, done)),
        () => Effect.sync(() => void (slots[step.slot] = 9999))
      )
    case "read": {
      const target = new Uint8Array(step.length)
      return Effect.map(read(calls, fd, target, step.position), (count) => [count, ...target])
    }
    case "write":
      return write(calls, fd, new Uint8Array(step.length).fill(step.position % 256), step.position)
    case "sync":
      return done((done) => calls.fdatasync(fd, done))
    case "truncate":
      return done((done) => calls.ftruncate(fd, step.length, done))
    case "chmod":
      return done((done) => calls.fchmod(fd, 0o640, done))
    case "fstat":
      return answer((done) => calls.fstat(fd, done))
    case "stat":
      return answer((done) => calls.stat(path, done))
    case "readlink":
      return answer((done) => calls.readlink(path, done))
    case "realpath":
      return answer((done) => calls.realpath(path, done))
    case "rename":
      return done((done) => calls.rename(path, Path.posix.join(base, step.to), done))
    case "unlink":
      return done((done) => calls.unlink(path, done))
    case "link":
      return done((done) => calls.link(path, Path.posix.join(base, step.to), done))
    case "mkdir":
      return done((done) => calls.mkdir(path, 0o700, done))
    case "readdir":
      return Effect.map(
        answer<unknown>((done) => calls.readdir(path, done)),
        (names) => (Array.isArray(names) ? names.toSorted() : names)
      )
  }
}

/** The directory that both disks begin with. */
const prepareReal = (base: string): void => {
  Fs.mkdirSync(Path.join(base, "d"))
  Fs.writeFileSync(Path.join(base, "a"), "old", { mode: 0o600 })
  for (const [name, target] of links) Fs.symlinkSync(target, Path.join(base, name))
}

const links: ReadonlyArray<readonly [string, string]> = [
  ["link", "a"],
  ["dangling", "d/new"],
  ["loop", "loop"],
  ["d/up", "../a"]
]

const prepareMemory = (disk: MemoryDisk.MemoryDisk, base: string): void => {
  disk.special(Path.join(base, "d"), "directory")
  disk.write(Path.join(base, "a"), new TextEncoder().encode("old"))
  for (const [name, target] of links) disk.link(Path.join(base, name), target)
}

const scratch = Workspace.directory()

const orderOf = (seed: number | undefined) =>
  Effect.gen(function* () {
    const disk = MemoryDisk.make({ seed })
    const fd = yield* openOk(disk.calls, "/x", O_RDWR | O_CREAT)
    const order: Array<number> = []
    yield* Effect.all(
      Array.from({ length: 10 }, (_, i) =>
        Effect.tap(write(disk.calls, fd, Uint8Array.of(i), 0), () => Effect.sync(() => order.push(i)))
      ),
      { concurrency: "unbounded" }
    )
    assert.deepStrictEqual(disk.read("/x"), Uint8Array.of(order.at(-1)!), "the last one done is what stays")
    return order
  })

describe("MemoryDisk", () => {
  it.effect.prop(
    "answers as the kernel does",
    { steps: Steps },
    ({ steps }) =>
      Effect.gen(function* () {
        const base = yield* scratch
        const disk = MemoryDisk.make()
        prepareReal(base)
        prepareMemory(disk, base)
        const slots: [Array<number>, Array<number>] = [[], []]
        for (const step of steps) {
          const real = summary(yield* perform(node, base, slots[0], step), base)
          const memory = summary(yield* perform(disk.calls, base, slots[1], step), base)
          assert.deepStrictEqual(memory, real, JSON.stringify(step))
        }
        for (const fd of slots[0]) if (fd !== undefined) yield* done((done) => node.close(fd, done))
      }).pipe(Effect.scoped),
    { arbitrary: { runs: 150 } }
  )

  it.effect("does nothing before the call has returned", () =>
    Effect.gen(function* () {
      const { calls } = MemoryDisk.make()
      let returned = false
      yield* Effect.callback<void>((resume) => {
        calls.stat("/", () => {
          assert.isTrue(returned)
          resume(Effect.void)
        })
        returned = true
      })
    })
  )

  it.effect("a seed chooses the order of what is under way", () =>
    Effect.gen(function* () {
      const ascending = Array.from({ length: 10 }, (_, i) => i)
      assert.deepStrictEqual(yield* orderOf(undefined), ascending)
      const one = yield* orderOf(1)
      assert.notDeepEqual(one, ascending)
      assert.deepStrictEqual(one.toSorted(), ascending)
      assert.deepStrictEqual(yield* orderOf(1), one)
      assert.notDeepEqual(yield* orderOf(2), one)
    })
  )

  it.effect("counts what is allocated, and ends where the capacity does", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make({ capacity: 5 * 4096 })
      disk.write("/other", new Uint8Array(4096).fill(1))
      const fd = yield* openOk(disk.calls, "/x", O_RDWR | O_CREAT)
      yield* done((done) => disk.calls.ftruncate(fd, 1 << 30, done))
      assert.include(disk.stat("/x"), { size: 1 << 30, blocks: 0 })
      const data = new Uint8Array(3 * 4096).fill(2)
      assert.strictEqual(yield* write(disk.calls, fd, data.subarray(0, 10), 4090), 10)
      assert.strictEqual(disk.stat("/x")!.blocks, 16)
      assert.strictEqual(yield* write(disk.calls, fd, data, 40_960), 2 * 4096, "a short count")
      assert.strictEqual(yield* write(disk.calls, fd, data, 81_920), "ENOSPC")
      assert.strictEqual(yield* write(disk.calls, fd, data, 40_960), 2 * 4096, "over what is there")
      yield* done((done) => disk.calls.unlink("/other", done))
      assert.strictEqual(yield* write(disk.calls, fd, data, 81_920), 4096)
    })
  )

  it.effect("says whether a file holds something, holes and all", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const fd = yield* openOk(disk.calls, "/x", O_RDWR | O_CREAT)
      yield* write(disk.calls, fd, new Uint8Array(100).fill(1), 8190)
      const content = new Uint8Array(8290).fill(1, 8190)
      assert.isTrue(disk.holds("/x", content))
      for (const at of [0, 4095, 8191, 8289]) assert.isFalse(disk.holds("/x", content.with(at, 2)), `byte ${at}`)
      assert.isFalse(disk.holds("/x", content.subarray(1)))
      assert.isFalse(disk.holds("/x", new Uint8Array(8291)))
      assert.isFalse(disk.holds("/y", new Uint8Array(0)))
    })
  )

  it.effect("knows devices: a fixed size, no truncation, nothing to sync on a character device", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      disk.device("/disk", 8192)
      disk.special("/null", "character device")
      const fd = yield* openOk(disk.calls, "/disk", O_RDWR)
      assert.include(yield* answer((done) => disk.calls.fstat(fd, done)), { size: 0 })
      assert.strictEqual(yield* done((done) => disk.calls.ftruncate(fd, 0, done)), "EINVAL")
      assert.strictEqual(yield* write(disk.calls, fd, new Uint8Array(9000), 0), 8192)
      assert.strictEqual(yield* write(disk.calls, fd, new Uint8Array(1), 8192), "ENOSPC")
      assert.strictEqual(yield* read(disk.calls, fd, new Uint8Array(10), 8190), 2)
      assert.strictEqual(yield* read(disk.calls, fd, new Uint8Array(10), 8192), 0)
      const nul = yield* openOk(disk.calls, "/null", O_RDWR)
      assert.strictEqual(yield* write(disk.calls, nul, new Uint8Array(10), 0), 10)
      assert.strictEqual(yield* read(disk.calls, nul, new Uint8Array(10), 0), 0)
      assert.strictEqual(yield* done((done) => disk.calls.fdatasync(nul, done)), "EINVAL")
    })
  )

  it.effect("enforces the permissions of the owner", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      disk.write("/d/x", Uint8Array.of(1), { mode: 0o400 })
      disk.chmod("/d", 0o500)
      assert.isNumber(yield* open(disk.calls, "/d/x", O_RDONLY))
      assert.strictEqual(yield* open(disk.calls, "/d/x", O_RDWR), "EACCES")
      assert.strictEqual(yield* open(disk.calls, "/d/y", O_WRONLY | O_CREAT), "EACCES")
      assert.strictEqual(yield* done((done) => disk.calls.unlink("/d/x", done)), "EACCES")
      assert.strictEqual(yield* done((done) => disk.calls.rename("/d/x", "/x", done)), "EACCES")
      assert.deepStrictEqual(disk.files(), ["/d/x"])
    })
  )

  it.effect("direct I/O has its rules, where there is any", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const fd = yield* openOk(disk.calls, "/x", O_RDWR | O_CREAT | O_DIRECT)
      const page = AlignedMemory.make(4096)
      assert.strictEqual(yield* write(disk.calls, fd, page, 512), 4096)
      assert.strictEqual(yield* write(disk.calls, fd, page, 100), "EINVAL")
      assert.strictEqual(yield* write(disk.calls, fd, page.subarray(0, 100), 0), "EINVAL")
      assert.strictEqual(yield* write(disk.calls, fd, new Uint8Array(4096), 0), "EINVAL")
      const without = MemoryDisk.make({ directIo: false })
      assert.strictEqual(yield* open(without.calls, "/x", O_RDWR | O_CREAT | O_DIRECT), "EINVAL")
    })
  )

  it.effect("knows what is open, by the name that it was opened by", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const first = yield* openOk(disk.calls, "/x", O_RDWR | O_CREAT)
      const second = yield* openOk(disk.calls, "/y", O_RDWR | O_CREAT)
      assert.deepStrictEqual(disk.openFiles(), ["/x", "/y"])
      yield* done((done) => disk.calls.close(first, done))
      assert.deepStrictEqual(disk.openFiles(), ["/y"])
      assert.strictEqual(yield* openOk(disk.calls, "/z", O_RDWR | O_CREAT), first, "the lowest free number")
      assert.notStrictEqual(first, second)
    })
  )
})

const text = (disk: MemoryDisk.MemoryDisk) => new TextDecoder().decode(disk.read("/d/new"))

describe("MemoryDisk.powerCut", () => {
  const abc = new TextEncoder().encode("abc")
  const run = Effect.gen(function* () {
    const disk = MemoryDisk.make()
    const { calls } = disk
    disk.write("/d/old", abc)
    const fd = yield* openOk(calls, "/d/new", O_RDWR | O_CREAT)
    yield* write(calls, fd, abc, 0)
    const directory = yield* openOk(calls, "/d", O_RDONLY)
    const sync = (fd: number) => done((done) => calls.fdatasync(fd, done))
    return { disk, calls, fd, sync, syncDirectory: done((done) => calls.fsync(directory, done)) }
  })

  it.effect("keeps content only with a sync of the file, and a name only with one of the directory", () =>
    Effect.gen(function* () {
      const { disk, fd, sync, syncDirectory } = yield* run
      assert.deepStrictEqual(disk.powerCut().files(), ["/d/old"])
      yield* sync(fd)
      assert.deepStrictEqual(disk.powerCut().files(), ["/d/old"])
      yield* syncDirectory
      assert.deepStrictEqual(disk.powerCut().files(), ["/d/new", "/d/old"])
      assert.deepStrictEqual(disk.powerCut().read("/d/new"), abc)
    })
  )

  it.effect("a name without its content is an empty file", () =>
    Effect.gen(function* () {
      const { disk, syncDirectory } = yield* run
      yield* syncDirectory
      assert.deepStrictEqual(disk.powerCut().read("/d/new"), new Uint8Array(0))
      assert.deepStrictEqual(disk.powerCut(() => true).read("/d/new"), abc)
    })
  )

  it.effect("keeps what was written, whatever becomes of the memory that it was written from", () =>
    Effect.gen(function* () {
      const { calls, disk, fd, sync, syncDirectory } = yield* run
      const memory = Buffer.from("abc")
      yield* write(calls, fd, memory, 3)
      disk.write("/d/other", memory)
      memory.fill(0)
      yield* sync(fd)
      yield* syncDirectory
      assert.deepStrictEqual(disk.read("/d/new"), new TextEncoder().encode("abcabc"))
      assert.deepStrictEqual(disk.powerCut().read("/d/new"), new TextEncoder().encode("abcabc"))
      assert.deepStrictEqual(disk.powerCut().read("/d/other"), abc)
    })
  )

  it.effect("a rename is done or not, never half", () =>
    Effect.gen(function* () {
      const { calls, disk, fd, sync, syncDirectory } = yield* run
      yield* sync(fd)
      yield* syncDirectory
      yield* done((done) => calls.rename("/d/new", "/d/old", done))
      assert.deepStrictEqual(disk.files(), ["/d/old"])
      assert.deepStrictEqual(disk.powerCut().files(), ["/d/new", "/d/old"])
      assert.deepStrictEqual(disk.powerCut((change) => change._tag === "Names").files(), ["/d/old"])
      yield* syncDirectory
      assert.deepStrictEqual(disk.powerCut().files(), ["/d/old"])
    })
  )

  it.effect("a second name and a new directory are durable once their directory is synced", () =>
    Effect.gen(function* () {
      const { calls, disk, fd, sync, syncDirectory } = yield* run
      yield* sync(fd)
      yield* syncDirectory
      yield* done((done) => calls.link("/d/new", "/d/second", done))
      yield* done((done) => calls.mkdir("/d/inner", 0o700, done))
      assert.deepStrictEqual(disk.powerCut().files(), ["/d/new", "/d/old"])
      assert.isUndefined(disk.powerCut().stat("/d/inner"))
      yield* syncDirectory
      assert.deepStrictEqual(disk.powerCut().read("/d/second"), abc)
      assert.isDefined(disk.powerCut().stat("/d/inner"))
    })
  )

  it.effect("spares what it is told to, of writes, truncations and removals", () =>
    Effect.gen(function* () {
      const { calls, disk, fd, sync, syncDirectory } = yield* run
      yield* sync(fd)
      yield* syncDirectory
      yield* write(calls, fd, Uint8Array.of(120), 1)
      yield* done((done) => calls.ftruncate(fd, 2, done))
      yield* done((done) => calls.unlink("/d/old", done))
      const only = (tag: MemoryDisk.Unsynced["_tag"]) => disk.powerCut((change) => change._tag === tag)
      assert.strictEqual(text(disk), "ax")
      assert.strictEqual(text(disk.powerCut()), "abc")
      assert.strictEqual(text(only("Write")), "axc")
      assert.strictEqual(text(only("Truncate")), "ab")
      assert.deepStrictEqual(only("Names").files(), ["/d/new"])
      assert.deepStrictEqual(only("Write").files(), ["/d/new", "/d/old"])
    })
  )

  it.effect("the disk after it is a disk of its own, with nothing open", () =>
    Effect.gen(function* () {
      const { calls, disk, fd } = yield* run
      const after = disk.powerCut(() => true)
      assert.deepStrictEqual(after.openFiles(), [])
      assert.strictEqual(yield* write(after.calls, fd, abc, 0), "EBADF")
      yield* write(calls, fd, Uint8Array.of(120), 0)
      assert.deepStrictEqual(after.read("/d/new"), abc)
      assert.deepStrictEqual(after.powerCut().read("/d/new"), abc, "what came through it is durable")
    })
  )

  it.effect("tears writes between sectors", () =>
    Effect.gen(function* () {
      const { calls, disk, fd, sync, syncDirectory } = yield* run
      yield* sync(fd)
      yield* syncDirectory
      yield* write(calls, fd, new Uint8Array(1200).fill(120), 500)
      const keeping = (...sectors: ReadonlyArray<number>) =>
        disk.powerCut((change) => change._tag !== "Write" || ((sector) => sectors.includes(sector))).read("/d/new")!
      const ends = (bytes: Uint8Array) => {
        const marked = [...bytes].map((byte, at) => (byte === 120) !== (bytes[at - 1] === 120) && at)
        return [...marked.filter((at) => at !== false), bytes.length].join()
      }
      assert.strictEqual(ends(keeping(0, 1, 2, 3)), "500,1700")
      assert.strictEqual(ends(keeping(0)), "500,512")
      assert.strictEqual(ends(keeping(1, 3)), "512,1024,1536,1700")
      assert.strictEqual(ends(keeping()), "3")
    })
  )

  it.effect("puts what it spares into another order, but not in front of what was synced", () =>
    Effect.gen(function* () {
      const { calls, disk, fd, sync, syncDirectory } = yield* run
      yield* sync(fd)
      yield* syncDirectory
      yield* write(calls, fd, new TextEncoder().encode("xy"), 0)
      yield* write(calls, fd, new TextEncoder().encode("z"), 1)
      const all = () => true
      assert.strictEqual(text(disk.powerCut(all)), "xzc")
      assert.strictEqual(text(disk.powerCut(all, (changes) => changes.toReversed())), "xyc")
      yield* sync(fd)
      yield* write(calls, fd, new TextEncoder().encode("q"), 0)
      assert.strictEqual(text(disk.powerCut(all, (changes) => changes.toReversed())), "qzc")
    })
  )

  it.effect("any loss is any of them", () =>
    Effect.gen(function* () {
      const { calls, disk, fd, sync, syncDirectory } = yield* run
      yield* sync(fd)
      yield* syncDirectory
      yield* write(calls, fd, new Uint8Array(1024).fill(120), 0)
      yield* write(calls, fd, new Uint8Array(1024).fill(121), 0)
      let state = 1
      const random = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32
      const seen = new Set<string>()
      for (let cut = 0; cut < 3000; cut++) {
        const bytes = disk.powerCut(...MemoryDisk.anyLoss(random)).read("/d/new")!
        seen.add([bytes.length, bytes[0], bytes[512]].join())
      }
      // Each of two sectors holds the old content, the first write or the second one; without the last one it is short.
      for (const outcome of [
        "3,97,",
        "512,120,",
        "512,121,",
        "1024,120,120",
        "1024,120,121",
        "1024,121,120",
        "1024,97,121"
      ]) {
        assert.isTrue(seen.has(outcome), `${outcome} of ${[...seen].join(" ")}`)
      }
    })
  )
})
