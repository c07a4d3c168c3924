/**
 * Every system call that a lane makes in a save, a restore and a conversion goes wrong in every way.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Image from "../../src/image/Image.ts"
import * as FilePages from "../../src/io/files/FilePages.ts"
import * as Migration from "../../src/migration/Migration.ts"
import { Fault } from "../../src/testing/FaultyFiles.ts"
import * as FaultyLanes from "../../src/testing/FaultyLanes.ts"
import { isHard, tagOf } from "../support/faults/outcome.ts"

const { convert, restore, save } = Migration.make

const PAGE = 4096
const PAGES = 1100
const BATCH = 2 * 1024 * 1024
const IDSTR = "pc.ram"

const contents = (): Buffer => {
  const ram = Buffer.alloc(PAGES * PAGE)
  for (let page = 0; page < PAGES; page++)
    if (page % 64 !== 7) ram.fill(1 + (page % 250), page * PAGE, (page + 1) * PAGE)
  return ram
}

interface Scenario {
  readonly name: string
  /** Writes `target` in the folder. */
  readonly run: (folder: string) => Effect.Effect<unknown, Migration.MigrationError>
  /** After a failure, `target` is as it was before. */
  readonly isAtomic: boolean
}

const saveRam = (folder: string, target: string) =>
  FilePages.make({ idstr: IDSTR, path: Path.join(folder, "ram"), access: "read" }).pipe(
    Effect.flatMap((block) => save({ blocks: [block], batchSize: BATCH, target: Path.join(folder, target) })),
    Effect.scoped
  )

const scenarios: ReadonlyArray<Scenario> = [
  { name: "save", run: (folder) => saveRam(folder, "target"), isAtomic: true },
  {
    name: "restore",
    run: (folder) =>
      Effect.gen(function* () {
        const path = Path.join(folder, "target")
        const block = yield* FilePages.make({ idstr: IDSTR, path, length: PAGES * PAGE, access: "read-write" })
        yield* restore({ source: yield* Image.open(Path.join(folder, "image")), blocks: [block], batchSize: BATCH })
      }).pipe(Effect.scoped),
    isAtomic: false
  },
  {
    name: "convert",
    run: (folder) =>
      Effect.flatMap(Image.open(Path.join(folder, "image")), (source) =>
        convert({ source, batchSize: BATCH, target: Path.join(folder, "target") })
      ).pipe(Effect.scoped),
    isAtomic: true
  }
]

const faults: ReadonlyArray<FaultyLanes.LaneFault> = [
  Fault.Fail({ code: "EIO" }),
  Fault.Fail({ code: "ENOSPC" }),
  Fault.Fail({ code: "EINTR" }),
  Fault.Short({ bytes: 0 }),
  Fault.Short({ bytes: 5000 }),
  Fault.Delay({ turns: 3 }),
  { _tag: "Die" }
]

const expectedTags = ["FileIoError", "NoSpaceError", "UnexpectedEndOfFileError", "WorkerDiedError"]

const OLD = Buffer.alloc(9000, 0x11)

const openFiles = (): ReadonlyArray<string> =>
  Fs.readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [Fs.readlinkSync(`/proc/self/fd/${fd}`)]
    } catch {
      return []
    }
  })

const folder = Effect.acquireRelease(
  Effect.gen(function* () {
    const path = Fs.mkdtempSync(Path.join(Os.tmpdir(), "lane-faults-"))
    Fs.writeFileSync(Path.join(path, "ram"), contents())
    yield* saveRam(path, "image")
    return path
  }),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true }))
)

const begin = (path: string, { isAtomic }: Scenario): void => {
  const target = Path.join(path, "target")
  Fs.rmSync(target, { force: true })
  if (isAtomic) Fs.writeFileSync(target, OLD)
}

describe.each(scenarios)("$name on lanes", (scenario) => {
  it.live(
    "whatever call fails, the error is typed and nothing leaks",
    () =>
      Effect.gen(function* () {
        const path = yield* folder
        const target = Path.join(path, "target")
        const attempt = (plan: FaultyLanes.Plan) =>
          Effect.gen(function* () {
            begin(path, scenario)
            const lanes = FaultyLanes.make(plan)
            const exit = yield* scenario
              .run(path)
              .pipe(Effect.provide(lanes.layer), Effect.provideService(References.MinimumLogLevel, "None"), Effect.exit)
            assert.strictEqual(lanes.underWay(), 0)
            return { exit, calls: lanes.log().length }
          })
        const { calls, exit } = yield* attempt(() => undefined)
        assert.isTrue(Exit.isSuccess(exit))
        assert.isAtLeast(calls, 8)
        const complete = Fs.readFileSync(target)
        const left = Fs.readdirSync(path).toSorted()
        for (const fault of faults)
          for (let index = 0; index < calls; index += calls > 20 ? 3 : 1) {
            const place = `${JSON.stringify(fault)} at call ${index}`
            const { exit } = yield* attempt(FaultyLanes.at(index, fault))
            const found = Fs.readFileSync(target)
            assert.deepStrictEqual(Fs.readdirSync(path).toSorted(), left, place)
            assert.isEmpty(
              openFiles().filter((name) => name.startsWith(path)),
              place
            )
            if (Exit.isSuccess(exit)) {
              assert.isFalse(fault._tag === "Die" || (fault._tag === "Fail" && fault.code !== "EINTR"), place)
              assert.isTrue(found.equals(complete), place)
            } else {
              assert.include(expectedTags, tagOf(exit, place), place)
              assert.isTrue(fault._tag === "Die" || isHard(fault), place)
              if (scenario.isAtomic) assert.isTrue(found.equals(OLD), place)
            }
          }
      }).pipe(Effect.scoped),
    60_000
  )

  it.live("an interruption waits for the lane, and closes nothing before", () =>
    Effect.gen(function* () {
      const path = yield* folder
      begin(path, scenario)
      const lanes = FaultyLanes.make(FaultyLanes.at(4, Fault.Delay({ turns: 50 })))
      const fiber = yield* Effect.forkChild(
        scenario.run(path).pipe(Effect.provide(lanes.layer), Effect.provideService(References.MinimumLogLevel, "None"))
      )
      while (lanes.log().length < 5) yield* Effect.yieldNow
      assert.isAbove(lanes.underWay(), 0)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(lanes.underWay(), 0)
      assert.isEmpty(openFiles().filter((name) => name.startsWith(path)))
      if (scenario.isAtomic) assert.isTrue(Fs.readFileSync(Path.join(path, "target")).equals(OLD))
    }).pipe(Effect.scoped)
  )
})
