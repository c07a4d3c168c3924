import { assert, describe, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { pathToFileURL } from "node:url"
import * as Lanes from "../../src/lanes/Lanes.ts"
import type * as LaneJob from "../../src/lanes/LaneJob.ts"

const PAGE = 4096
const PAGES = 2048

/** Two files in a folder of their own: every third page of the first one is zero. */
const files = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "lanes-"))
    const data = Buffer.alloc(PAGES * PAGE)
    for (let page = 0; page < PAGES; page++)
      if (page % 3 !== 0) data.fill((page % 255) + 1, page * PAGE + 5, (page + 1) * PAGE)
    const source = Path.join(folder, "source")
    Fs.writeFileSync(source, data)
    const target = Path.join(folder, "target")
    const fds = { source: Fs.openSync(source, "r"), target: Fs.openSync(target, "w+") }
    return { folder, data, target, fds }
  }),
  ({ fds, folder }) =>
    Effect.sync(() => {
      Fs.closeSync(fds.source)
      Fs.closeSync(fds.target)
      Fs.rmSync(folder, { recursive: true })
    })
)

const jobOf = (
  fds: { readonly source: number; readonly target: number },
  first = 0,
  count = PAGES
): LaneJob.CopyJob => ({
  source: { fd: fds.source, position: first * PAGE },
  target: { fd: fds.target, position: first * PAGE },
  pageSize: PAGE,
  pages: [0, count],
  normal: undefined,
  gap: 0,
  digests: "crc32",
  clear: [],
  checks: undefined
})

/** Lanes whose threads run a program of the test's own. */
const running = (folder: string, program: string, threads = 1) => {
  const path = Path.join(folder, "program.mjs")
  Fs.writeFileSync(path, `import { parentPort, workerData } from "node:worker_threads"\n${program}`)
  return Lanes.make({ file: pathToFileURL(path), threads })
}

describe("Lanes", () => {
  it.live("copy on threads of their own", () =>
    Effect.gen(function* () {
      const { data, fds, target } = yield* files
      const lanes = yield* Lanes.make({ threads: 2 })
      assert.isTrue(yield* lanes.start)
      const eighth = PAGES / 8
      const answers = yield* Effect.all(
        Array.from({ length: 8 }, (_, i) => lanes.copy(jobOf(fds, i * eighth, eighth))),
        { concurrency: "unbounded" }
      )
      let bytes = 0
      for (const answer of answers) {
        assert.strictEqual(answer._tag, "Copied")
        if (answer._tag === "Copied") bytes += answer.bytes
      }
      assert.strictEqual(bytes, Math.floor((PAGES * 2) / 3) * PAGE)
      const written = Fs.readFileSync(target)
      assert.isTrue(written.equals(data.subarray(0, written.length)))
      assert.isAtLeast(written.length, (PAGES - 1) * PAGE)
    }).pipe(Effect.scoped)
  )

  it.live("those of the process are there by default", () =>
    Effect.gen(function* () {
      const { data, fds, target } = yield* files
      const lanes = yield* Lanes.Lanes
      assert.isTrue(yield* lanes!.start)
      const answer = yield* lanes!.copy(jobOf(fds))
      assert.strictEqual(answer._tag, "Copied")
      assert.isTrue(Fs.readFileSync(target).equals(data))
      assert.strictEqual(yield* Lanes.Lanes, lanes)
    }).pipe(Effect.scoped)
  )

  it.live("the errno of a call comes back", () =>
    Effect.gen(function* () {
      const { fds } = yield* files
      const lanes = yield* Lanes.make({ threads: 1 })
      const answer = yield* lanes.copy({ ...jobOf(fds), target: { fd: fds.source, position: 0 } })
      assert.strictEqual(answer._tag, "CallFailed")
      if (answer._tag !== "CallFailed") return
      assert.strictEqual(answer.error?.code, "EBADF")
      assert.strictEqual(answer.end, "target")
    }).pipe(Effect.scoped)
  )

  it.live("a thread that ends answers for all of its jobs, and another takes its place", () =>
    Effect.gen(function* () {
      const { fds, folder } = yield* files
      const lanes = yield* running(
        folder,
        `parentPort.on("message", ({ job }) => {
           if (job.gap === 7) process.exit(3)
           if (job.gap === 8) throw new Error("broken")
           parentPort.postMessage({ slot: 0, answer: { _tag: "Cancelled" } })
         })
         parentPort.postMessage("ready")`
      )
      const dying = { ...jobOf(fds), gap: 7 }
      const both = yield* Effect.all([lanes.copy(dying), lanes.copy(dying)], { concurrency: "unbounded" })
      assert.deepStrictEqual(
        both.map(({ _tag }) => _tag),
        ["LaneDied", "LaneDied"]
      )
      const broken = yield* lanes.copy({ ...dying, gap: 8 })
      assert.deepInclude(broken, { _tag: "LaneDied", reason: "broken" })
      assert.strictEqual((yield* lanes.copy(jobOf(fds)))._tag, "Cancelled")
    }).pipe(Effect.scoped)
  )

  it.live("an interruption sets the word of the job and waits for its answer", () =>
    Effect.gen(function* () {
      const { fds, folder } = yield* files
      const lanes = yield* running(
        folder,
        `parentPort.on("message", ({ slot }) => {
           while (Atomics.wait(workerData.cancelWords, slot, 0, 5) === "timed-out");
           parentPort.postMessage({ slot, answer: { _tag: "LaneDied", reason: "the word is set" } })
         })
         parentPort.postMessage("ready")`
      )
      yield* lanes.start
      const late = yield* Deferred.make<LaneJob.Answer>()
      const fiber = yield* Effect.forkChild(
        lanes.copy(jobOf(fds), (answer) => Deferred.succeed(late, answer)),
        {
          startImmediately: true
        }
      )
      yield* Fiber.interrupt(fiber)
      assert.deepInclude(yield* Deferred.await(late), { _tag: "LaneDied", reason: "the word is set" })
    }).pipe(Effect.scoped)
  )

  it.live("a job that waits for a lane is cancelled at once", () =>
    Effect.gen(function* () {
      const { fds, folder } = yield* files
      const lanes = yield* running(
        folder,
        `parentPort.on("message", () => undefined)
         parentPort.postMessage("ready")`
      )
      yield* lanes.start
      const full = yield* Effect.forkChild(
        Effect.all([lanes.copy(jobOf(fds)), lanes.copy(jobOf(fds))], { concurrency: 2 }),
        {
          startImmediately: true
        }
      )
      let late: LaneJob.Answer | undefined
      const fiber = yield* Effect.forkChild(
        lanes.copy(jobOf(fds), (answer) => Effect.sync(() => void (late = answer))),
        { startImmediately: true }
      )
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(late, { _tag: "Cancelled" })
      assert.isUndefined(full.pollUnsafe())
    }).pipe(Effect.scoped, Effect.timeout("5 seconds"))
  )

  it.live("where the program is missing, there are none, and a log says so once", () =>
    Effect.gen(function* () {
      const logged: Array<unknown> = []
      const lanes = yield* Lanes.make({ file: new URL("file:///nowhere/laneWorker.js") })
      const both = Effect.all([lanes.start, lanes.start]).pipe(
        Effect.provide(Logger.layer([Logger.make(({ message }) => void logged.push(message))])),
        Effect.provideService(References.MinimumLogLevel, "Debug")
      )
      assert.deepStrictEqual(yield* both, [false, false])
      assert.lengthOf(logged, 1)
    }).pipe(Effect.scoped)
  )

  it.live("the layer of a configuration reads its options by their names", () =>
    Effect.gen(function* () {
      const start = (env: Record<string, string>) =>
        Effect.flatMap(Lanes.Lanes, (lanes) => lanes?.start ?? Effect.succeed(false)).pipe(
          Effect.provide(Lanes.layerConfig({ threads: Config.Int("LANES") })),
          Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))
        )
      assert.isTrue(yield* start({ LANES: "1" }))
      assert.include((yield* Effect.flip(start({ LANES: "many" }))).message, "LANES")
    })
  )

  it.live("a program that does not start is none", () =>
    Effect.gen(function* () {
      const { folder } = yield* files
      const lanes = yield* running(folder, `throw new Error("no")`, 2)
      assert.isFalse(yield* lanes.start)
    }).pipe(Effect.scoped)
  )
})
