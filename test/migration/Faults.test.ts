/**
 * First error wins, nothing leaks: every single I/O call of small operations fails once.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { createHash } from "node:crypto"
import * as FilePages from "../../src/io/files/FilePages.ts"
import * as Image from "../../src/image/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as Memory from "../support/memory.ts"

const { convert, restore, save } = Migration.make

type Disk = MemoryDisk.MemoryDisk

/** A small operation, the disk that it begins with, and what must hold on the disk after it failed. */
interface Scenario {
  readonly name: string
  readonly prepare: (disk: Disk) => Effect.Effect<void, Migration.MigrationError>
  readonly run: Effect.Effect<unknown, Migration.MigrationError>
  /** Paths that a failed run may leave in any state. */
  readonly mayChange: ReadonlyArray<string>
}

const options = { channels: 2, batchSize: 16 * 4096 }

const saveSmall = (target: string) =>
  Effect.flatMap(Memory.small(), ({ block }) => save({ ...options, target, blocks: [block] }))

const onDisk = <A>(disk: Disk, self: Effect.Effect<A, Migration.MigrationError>) => Effect.provide(self, disk.layer)

const oldImage = (disk: Disk) => Effect.sync(() => disk.write("/vm.img", new Uint8Array(5000).fill(0x11)))

const scenarios: ReadonlyArray<Scenario> = [
  { name: "save", prepare: () => Effect.void, run: saveSmall("/vm.img"), mayChange: [] },
  { name: "save over an older image", prepare: oldImage, run: saveSmall("/vm.img"), mayChange: [] },
  {
    name: "save of a file",
    prepare: (disk) => Effect.sync(() => disk.write("/ram", new Uint8Array(64 * 4096).fill(3, 0, 9 * 4096))),
    run: FilePages.make({ idstr: "pc.ram", path: "/ram", access: "read" }).pipe(
      Effect.flatMap((block) => save({ ...options, target: "/vm.img", blocks: [block] })),
      Effect.scoped
    ),
    mayChange: []
  },
  {
    name: "restore to memory",
    prepare: (disk) => onDisk(disk, saveSmall("/vm.img")),
    run: Effect.gen(function* () {
      const { block } = yield* Memory.small()
      yield* restore({ ...options, source: yield* Image.open("/vm.img"), blocks: [block] })
    }).pipe(Effect.scoped),
    mayChange: []
  },
  {
    name: "restore to a file",
    prepare: (disk) =>
      Effect.andThen(
        onDisk(disk, saveSmall("/vm.img")),
        Effect.sync(() => disk.write("/ram", new Uint8Array(64 * 4096).fill(3)))
      ),
    run: Effect.gen(function* () {
      const block = yield* FilePages.make({ idstr: "pc.ram", path: "/ram", access: "read-write" })
      yield* restore({ ...options, source: yield* Image.open("/vm.img"), blocks: [block] })
    }).pipe(Effect.scoped),
    mayChange: ["/ram"]
  },
  {
    name: "convert",
    prepare: (disk) => onDisk(disk, saveSmall("/vm.img")),
    run: Effect.gen(function* () {
      yield* convert({ ...options, source: yield* Image.open("/vm.img"), target: "/copy.img" })
    }).pipe(Effect.scoped),
    mayChange: []
  }
]

/** What each file holds, in a form that is quickly compared. */
const contentsOf = (disk: Disk, except: ReadonlyArray<string>): ReadonlyArray<string> =>
  disk
    .files()
    .filter((path) => !except.includes(path))
    .map((path) => `${path} ${createHash("sha1").update(disk.read(path)!).digest("hex")}`)

/** Runs a scenario on a fresh disk under a plan of faults. */
const attempt = Effect.fnUntraced(function* ({ mayChange, prepare, run }: Scenario, plan: FaultyFiles.Plan) {
  const disk = MemoryDisk.make()
  yield* Effect.orDie(prepare(disk))
  const before = contentsOf(disk, mayChange)
  const faulty = FaultyFiles.make(plan, disk.calls)
  const exit = yield* Effect.exit(Effect.provide(run, faulty.layer))
  return { before, disk, exit, faulty, after: contentsOf(disk, mayChange) }
})

const errorTags = new Set(["FileIoError", "NoSpaceError", "FilePermissionError", "UnexpectedEndOfFileError"])

/** Closing what was only read loses nothing, and neither does the descriptor that only syncs. */
const mayGoUnnoticed = ({ name, path }: FaultyFiles.Call): boolean => name === "close" && !path.endsWith(".part")
const UNNOTICED_CLOSES_OF_TARGET = 1

/** When the directory is synced, the new file has its name. */
const isAfterRename = (call: FaultyFiles.Call, calls: ReadonlyArray<FaultyFiles.Call>): boolean =>
  calls.slice(0, call.index).some(({ name }) => name === "rename")

describe.each(scenarios)("$name", (scenario) => {
  const codes = ["EIO", "ENOSPC", "EACCES"] as const

  it.effect.each(codes)("fails cleanly with %s at every call", (code) =>
    Effect.gen(function* () {
      const { exit: good, faulty } = yield* attempt(scenario, FaultyFiles.none)
      assert.isTrue(Exit.isSuccess(good))
      const calls = faulty.log()
      assert.isAbove(calls.length, 10)
      let unnoticed = 0
      for (const call of calls) {
        const { after, before, disk, exit, faulty } = yield* attempt(
          scenario,
          FaultyFiles.at(call.index, FaultyFiles.Fault.Fail({ code }))
        )
        const where = `${call.name} ${call.path} (call ${call.index})`
        assert.deepStrictEqual(disk.openFiles(), [], `descriptors after ${where}`)
        assert.deepStrictEqual(faulty.openFiles(), [], `descriptors after ${where}`)
        if (Exit.isSuccess(exit)) {
          assert.strictEqual(call.name, "close", `${where} failed and nobody noticed`)
          if (!mayGoUnnoticed(call)) unnoticed += 1
          continue
        }
        const [reason] = exit.cause.reasons
        assert(
          reason !== undefined && Cause.isFailReason(reason),
          `a typed error after ${where}: ${String(exit.cause)}`
        )
        const { _tag } = reason.error
        if (isAfterRename(call, calls)) {
          // The new image has its name, and may lose it.
          assert.strictEqual(_tag, "UnconfirmedError", `after ${where}`)
          continue
        }
        assert.isTrue(errorTags.has(_tag), `${_tag} after ${where}`)
        assert.deepStrictEqual(after, before, `the disk after ${where}`)
      }
      assert.isAtMost(unnoticed, UNNOTICED_CLOSES_OF_TARGET)
    })
  )

  it.effect.each([1, 100] as const)("goes on after a short count of %s at every call", (bytes) =>
    Effect.gen(function* () {
      const { disk: good, faulty } = yield* attempt(scenario, FaultyFiles.none)
      for (const call of faulty.log()) {
        const short = FaultyFiles.at(call.index, FaultyFiles.Fault.Short({ bytes }))
        const { disk, exit } = yield* attempt(scenario, short)
        assert.isTrue(Exit.isSuccess(exit), `${call.name} ${call.path} came back short`)
        assert.deepStrictEqual(contentsOf(disk, []), contentsOf(good, []))
      }
    })
  )

  it.effect("is interrupted at every call", () =>
    Effect.gen(function* () {
      const { faulty } = yield* attempt(scenario, FaultyFiles.none)
      const calls = faulty.log()
      for (const call of calls) {
        const interrupted = yield* Deferred.make<void>()
        const plan: FaultyFiles.Plan = ({ index }) => {
          if (index === call.index) Deferred.doneUnsafe(interrupted, Effect.void)
          return undefined
        }
        const { run } = scenario
        const stopped = { ...scenario, run: Effect.raceFirst(run, Deferred.await(interrupted)) }
        const { after, before, disk, faulty } = yield* attempt(stopped, plan)
        const where = `${call.name} ${call.path} (call ${call.index})`
        assert.deepStrictEqual(disk.openFiles(), [], `descriptors at ${where}`)
        assert.deepStrictEqual(faulty.openFiles(), [], `descriptors at ${where}`)
        assert.isFalse(
          disk.files().some((path) => path.endsWith(".part")),
          `litter at ${where}`
        )
        if (!faulty.log().some(({ name }) => name === "rename")) {
          assert.deepStrictEqual(after, before, `the disk at ${where}`)
        }
      }
    })
  )
})
