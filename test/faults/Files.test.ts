/**
 * Every system call of saving, restoring and converting goes wrong in every way, once and for good.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as FilePages from "../../src/io/files/FilePages.ts"
import * as Image from "../../src/image/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import { contentsOf, machineOf, staleBlocksOf } from "../support/machine.ts"
import { isHard, kinds, tagOf } from "../support/faults/outcome.ts"
import { settings } from "../support/settings.ts"

const { convert, restore, save } = Migration.make

const TARGET = "/vm.img"
const PAGE = 4096
const OLD = new Uint8Array(5000).fill(0x11)
/** Together with those of Sockets.test.ts, 20,000. */
const MIN_FAULTS = 15_000

interface Shape {
  readonly channels: number
  readonly batchSize: number
  readonly directIo?: boolean
}

type Disk = MemoryDisk.MemoryDisk

/** An operation, the disk that it begins with, and the file that it writes. */
interface Scenario {
  readonly name: string
  /** Puts there what is there at first, in a way that survives a power cut. */
  readonly prepare: (disk: Disk) => Effect.Effect<unknown, Migration.MigrationError>
  readonly run: (shape: Shape) => Effect.Effect<unknown, Migration.MigrationError>
  readonly written: string
  /** `renamed`: after a failure it is as it was; `in place`: it is no image; `pages`: anything. */
  readonly way: "renamed" | "in place" | "pages"
}

const nothing = () => Effect.void
const oldImage = (disk: Disk) => Effect.sync(() => disk.write(TARGET, OLD))

const saveTo = (target: Migration.WriteOptions["target"]) => (shape: Shape) =>
  Effect.flatMap(machineOf(settings.callPages), (machine) => save({ ...machine, ...shape, target }))

const anImage = (disk: Disk) => Effect.provide(saveTo(TARGET)({ channels: 2, batchSize: 8 * PAGE }), disk.layer)

const ram = (disk: Disk) =>
  Effect.sync(() => disk.write("/ram", new Uint8Array((settings.callPages / 3) * PAGE).fill(3)))

const scenarios: ReadonlyArray<Scenario> = [
  { name: "save", prepare: nothing, run: saveTo(TARGET), written: TARGET, way: "renamed" },
  { name: "save over an older image", prepare: oldImage, run: saveTo(TARGET), written: TARGET, way: "renamed" },
  {
    name: "save in place",
    prepare: oldImage,
    run: saveTo({ path: TARGET, offset: 0 }),
    written: TARGET,
    way: "in place"
  },
  {
    name: "save of a file",
    prepare: ram,
    run: (shape) =>
      FilePages.make({ idstr: "pc.ram", path: "/ram", access: "read" }).pipe(
        Effect.flatMap((block) => save({ ...shape, target: TARGET, blocks: [block] })),
        Effect.scoped
      ),
    written: TARGET,
    way: "renamed"
  },
  {
    name: "restore",
    prepare: anImage,
    run: (shape) =>
      Effect.gen(function* () {
        const blocks = yield* staleBlocksOf(settings.callPages)
        yield* restore({ ...shape, source: yield* Image.open(TARGET), blocks })
      }).pipe(Effect.scoped),
    written: TARGET,
    way: "renamed"
  },
  {
    name: "restore to a file",
    prepare: (disk) => Effect.andThen(anImage(disk), ram(disk)),
    run: (shape) =>
      Effect.gen(function* () {
        const block = yield* FilePages.make({ idstr: "vga.vram", path: "/ram", access: "read-write" })
        yield* restore({ ...shape, source: yield* Image.open(TARGET), blocks: [block] })
      }).pipe(Effect.scoped),
    written: "/ram",
    way: "pages"
  },
  {
    name: "convert",
    prepare: anImage,
    run: (shape) =>
      Effect.gen(function* () {
        yield* convert({ ...shape, source: yield* Image.open(TARGET), target: "/copy.img" })
      }).pipe(Effect.scoped),
    written: "/copy.img",
    way: "renamed"
  },
  {
    name: "convert over itself",
    prepare: anImage,
    run: (shape) =>
      Effect.gen(function* () {
        yield* convert({ ...shape, source: yield* Image.open(TARGET), target: TARGET })
      }).pipe(Effect.scoped),
    written: TARGET,
    way: "renamed"
  }
]

const shapes: ReadonlyArray<Shape> = [
  { channels: 1, batchSize: 4 * PAGE },
  { channels: 2, batchSize: 4 * PAGE, directIo: true },
  { channels: 3, batchSize: 2 * PAGE }
]

/** Runs a scenario on a copy of a disk under a plan of faults, and notes the calls that met one. */
const attempt = Effect.fnUntraced(function* (
  { run }: Scenario,
  shape: Shape,
  { initial, plan }: { readonly initial: Disk; readonly plan: FaultyFiles.Plan }
) {
  const disk = initial.powerCut()
  const hit: Array<FaultyFiles.Call> = []
  const noted: FaultyFiles.Plan = (call) => {
    const fault = plan(call)
    if (fault !== undefined) hit.push(call)
    return fault
  }
  const faulty = FaultyFiles.make(noted, disk.calls)
  const exit = yield* run(shape).pipe(
    Effect.provide(faulty.layer),
    Effect.provideService(References.MinimumLogLevel, "None"),
    Effect.exit
  )
  return { disk, exit, faulty, hit }
})

type Attempt = Effect.Success<ReturnType<typeof attempt>>

const holds = (disk: Disk, path: string, content: Uint8Array | undefined): boolean =>
  content === undefined ? disk.stat(path) === undefined : disk.holds(path, content)

const expectedErrors = [
  "UnconfirmedError",
  "FileIoError",
  "NoSpaceError",
  "FilePermissionError",
  "UnexpectedEndOfFileError"
]

/** What an image seems to be that ends too early. */
const imageErrors = ["NotMigrationImageError", "TruncatedImageError", "CorruptImageError"]

/** What a save may say that is told to take over somebody's file, and is not allowed to. */
const isOptional = ({ name }: FaultyFiles.Call): boolean => name === "close" || name === "fchown"

const transfers = new Set(["read", "write"])

interface Expected {
  /** What is written to, at first and in the end. */
  readonly before: Uint8Array | undefined
  readonly complete: Uint8Array
  readonly fault: FaultyFiles.Fault
  readonly place: string
}

/** Nothing leaks, the error is typed, and the file is what the result says. */
const check = Effect.fnUntraced(function* (
  { way, written }: Scenario,
  { disk, exit, faulty, hit }: Attempt,
  { before, complete, fault, place }: Expected
) {
  assert.deepStrictEqual([...disk.openFiles(), ...faulty.openFiles()], [], place)
  const tag = tagOf(exit, place)
  const hard = isHard(fault)
  const removable = !hit.some(({ name }) => name === "unlink")
  if (removable)
    assert.isFalse(
      disk.files().some((path) => path.endsWith(".part")),
      place
    )
  if (tag === "success") {
    assert.isTrue(holds(disk, written, complete), `${place}: not what should have been written`)
    if (fault._tag === "Fail") assert.isTrue(hit.every(isOptional), `${place}: nobody noticed`)
    return
  }
  assert.isTrue(hard, `${place}: ${tag}`)
  assert.include(fault._tag === "Short" ? [...expectedErrors, ...imageErrors] : expectedErrors, tag, place)
  const renamed = faulty.log().some((call) => call.name === "rename" && !hit.includes(call))
  if (way === "renamed")
    assert.isTrue(holds(disk, written, renamed ? complete : before), `${place}: the file has changed`)
  if (way === "renamed") assert.strictEqual(tag === "UnconfirmedError", renamed, `${place}: ${tag}`)
  if (way === "in place" && !holds(disk, written, complete)) {
    assert.strictEqual((yield* Effect.result(Effect.provide(contentsOf(written), disk.layer)))._tag, "Failure", place)
  }
})

let faults = 0

describe.each(scenarios)("$name", (scenario) => {
  it.live.each(shapes)(
    "at every call, by %o",
    (shape) =>
      Effect.gen(function* () {
        const initial = MemoryDisk.make()
        yield* Effect.orDie(scenario.prepare(initial))
        const before = initial.read(scenario.written)
        const good = yield* attempt(scenario, shape, { initial, plan: FaultyFiles.none })
        assert.strictEqual(tagOf(good.exit, scenario.name), "success")
        const complete = good.disk.read(scenario.written)!
        const calls = good.faulty.log()
        const failAt = Effect.fnUntraced(function* (call: FaultyFiles.Call) {
          for (const often of ["once", "for good"] as const) {
            for (const fault of kinds) {
              if (fault._tag === "Short" && often === "once" && !transfers.has(call.name)) continue
              const plan = often === "once" ? FaultyFiles.at(call.index, fault) : FaultyFiles.from(call.index, fault)
              const result = yield* attempt(scenario, shape, { initial, plan })
              if (result.hit.length > 0) faults += 1
              const place = `${JSON.stringify(fault)} ${often} at ${call.name} ${call.path}, call ${call.index}`
              yield* check(scenario, result, { before, complete, fault, place })
            }
          }
        })
        yield* Effect.forEach(calls, failAt, { discard: true, concurrency: 4 })
      }),
    0
  )
})

it("met enough faults", () => {
  console.log(faults)
  assert.isAtLeast(faults, MIN_FAULTS)
})
