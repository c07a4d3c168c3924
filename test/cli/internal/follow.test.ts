import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as Layer from "effect/Layer"
import * as TestConsole from "effect/testing/TestConsole"
import { Completion } from "../../../src/cli/internal/completion.ts"
import { type Audience, follow, type Followed } from "../../../src/cli/internal/follow.ts"
import * as Screen from "../../../src/cli/internal/screen.ts"
import type { Flags } from "../../../src/cli/internal/view.ts"
import { FileIoError } from "../../../src/io/files/FileError.ts"
import type { Summary } from "../../../src/migration/Migration.ts"
import * as Stderr from "../../support/cli/stderr.ts"

const summary: Summary = {
  bytesTotal: 2 ** 30,
  pages: 262144,
  normalPages: 262000,
  zeroPages: 144,
  bytesTransferred: 262000 * 4096,
  phaseMillis: { setup: 10, ram: 900, device: 40, sync: 50 }
}
const ioError = new FileIoError({ operation: "write", path: "/x", code: "EIO" })

/** A second of work, during which half of the RAM is handled. */
const work = Effect.fnUntraced(function* ({ progress, warn }: Audience) {
  yield* progress.begin([{ idstr: "pc.ram", usedLength: 2 ** 20, pageSize: 4096 }])
  yield* progress.enter("ram")
  progress.counters.normalPages += 100
  progress.counters.zeroPages += 28
  progress.counters.bytesHandled += 2 ** 19
  yield* warn("nobody listens\nhere")
  yield* Effect.sleep("1 second")
  yield* progress.enter("completed")
  return summary
})

/** Waits for somebody, and then works. */
const listen = ({ listening, ...audience }: Audience) =>
  Effect.sleep("1 second").pipe(
    Effect.andThen(listening("tcp:127.0.0.1:4444")),
    Effect.andThen(Effect.sleep("200 millis")),
    Effect.andThen(work({ listening, ...audience }))
  )

interface Viewer extends Partial<Flags> {
  readonly isTerminal?: boolean
  readonly listens?: boolean
  /** Asked each time that something is drawn. */
  readonly columns?: () => number | undefined
  readonly isDumb?: boolean
  /** Milliseconds after which Ctrl-C is pressed. */
  readonly interruptedAfter?: number
  readonly followed?: Followed
}

const run = Effect.fnUntraced(
  function* (viewer: Viewer, operation: (audience: Audience) => Effect.Effect<Summary, FileIoError> = work) {
    const { columns = () => undefined, isDumb = false, isTerminal = false, progress = "auto", quiet = false } = viewer
    const { followed = { image: { path: "/no/vm.img" } }, interruptedAfter, listens = false } = viewer
    const stderr = Stderr.make({ isTerminal })
    const fiber = yield* Effect.forkChild(
      follow({ progress, quiet }, { ...followed, role: listens ? "listener" : "source" }, operation).pipe(
        Effect.provide(stderr.layer),
        Effect.provideService(Screen.Screen, { columns, outputColumns: () => undefined, isDumb: () => isDumb })
      )
    )
    for (let millis = 0; millis < 3000; millis += 100) {
      if (millis === interruptedAfter) yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* TestClock.adjust("100 millis")
    }
    const exit = yield* Fiber.await(fiber)
    const logged = yield* TestConsole.errorLines
    return { exit, text: stderr.text(), logged: logged.map(String) }
  },
  Effect.provide(Layer.fresh(TestConsole.layer))
)

const jsonLines = (text: string): ReadonlyArray<Record<string, unknown>> =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>)

/** Has its image, and is interrupted before it says so. */
const completed = (audience: Audience) => Effect.andThen(work(audience), Effect.interrupt)

describe("an interruption that comes too late", () => {
  const interrupted = (followed: Omit<Followed, "image">, then: (audience: Audience) => Effect.Effect<Summary>) => {
    let told = 0
    const viewer = { progress: "line", followed: { image: { path: "/no/vm.img" }, ...followed } } as const
    return run(viewer, then).pipe(
      Effect.provideService(Completion, () => void told++),
      Effect.map(({ text }) => ({ last: text.split("\r").at(-1) ?? "", told }))
    )
  }

  it.effect("is told as the success that it is, for the exit code", () =>
    Effect.gen(function* () {
      const { last, told } = yield* interrupted({ isWritten: true }, completed)
      assert.include(last, "/no/vm.img: 1.00 MiB (128 pages, 28 zero) in ")
      assert.strictEqual(told, 1)
    })
  )

  it.effect("is an interruption where more was to be done than the image", () =>
    Effect.gen(function* () {
      const { last, told } = yield* interrupted({ isWritten: true }, (audience) =>
        Effect.andThen(audience.leaves("the guest runs"), completed(audience))
      )
      assert.include(last, "interrupted: the guest runs, /no/vm.img is complete")
      assert.strictEqual(told, 0)
      const files = yield* interrupted({ left: "some files may be there" }, completed)
      assert.include(files.last, "interrupted: some files may be there")
      assert.strictEqual(files.told, 0)
    })
  )
})

describe("follow", () => {
  it.effect("draws a line on a terminal, and leaves the summary", () =>
    Effect.gen(function* () {
      const { exit, text } = yield* run({ isTerminal: true })
      assert(Exit.isSuccess(exit))
      const drawn = text.split("\r\u001b[K")
      assert.isAbove(drawn.length, 10)
      assert.include(text, "RAM 50%  512 KiB of 1.00 MiB  ")
      assert.include(text, "multifd: warning: nobody listens here\n")
      assert.strictEqual(drawn.at(-1), "/no/vm.img: 1.00 GiB (262144 pages, 144 zero) in 1.00 s, 1.00 GiB/s\n")
    })
  )

  it.effect("is silent where stderr is no terminal, warnings apart", () =>
    Effect.gen(function* () {
      const { exit, text } = yield* run({})
      assert(Exit.isSuccess(exit))
      assert.strictEqual(text, "multifd: warning: nobody listens here\n")
    })
  )

  it.effect("draws anywhere when asked to, and nowhere when asked not to", () =>
    Effect.gen(function* () {
      assert.include((yield* run({ progress: "line" })).text, "RAM 50%")
      assert.strictEqual((yield* run({ isTerminal: true, progress: "line", quiet: true })).text, "")
      assert.strictEqual((yield* run({ progress: "json", quiet: true })).text, "")
    })
  )

  it.effect("prints JSON lines", () =>
    Effect.gen(function* () {
      const lines = jsonLines((yield* run({ progress: "json" })).text)
      const events = lines.map(({ event }) => event)
      assert.deepStrictEqual([...new Set(events)].toSorted(), ["completed", "progress", "warning"])
      assert.strictEqual(events.at(-1), "completed")
      const now = lines.findLast(({ event }) => event === "progress")
      assert.include(now, { phase: "completed", bytesTotal: 2 ** 20, bytesDone: 2 ** 19, pages: 128, zeroPages: 28 })
      assert.include(lines.at(-1), { bytesTotal: 2 ** 30, zeroPages: 144 })
    })
  )

  it.effect("says where it listens before anything else", () =>
    Effect.gen(function* () {
      const lines = jsonLines((yield* run({ progress: "json", listens: true }, listen)).text)
      assert.deepStrictEqual(lines[0], { event: "listening", uri: "tcp:127.0.0.1:4444" })
      assert.deepInclude(lines[1], { event: "progress", phase: "waiting" })
      assert.strictEqual(lines.at(-1)!["event"], "completed")
      const { text } = yield* run({ progress: "line", listens: true }, listen)
      assert.isTrue(text.startsWith("listening on tcp:127.0.0.1:4444\n\r"), text)
      assert.notInclude((yield* run({ listens: true }, listen)).text, "listening")
      assert.strictEqual((yield* run({ progress: "json", quiet: true, listens: true }, listen)).text, "")
    })
  )

  it.effect("ends when it never came to listen", () =>
    Effect.gen(function* () {
      const { exit, text } = yield* run({ progress: "json", listens: true }, () => Effect.fail(ioError))
      assert(Exit.isFailure(exit))
      assert.deepStrictEqual(
        jsonLines(text).map(({ event }) => event),
        ["failed"]
      )
    })
  )

  it.effect("clears the line for the error, which is reported elsewhere", () =>
    Effect.gen(function* () {
      const { exit, text } = yield* run({ isTerminal: true }, () => Effect.fail(ioError))
      assert.strictEqual(yield* Effect.flip(exit), ioError)
      assert.isTrue(text.endsWith("\r\u001b[K"))
    })
  )

  it.effect("a failure is a JSON line, and no other word", () =>
    Effect.gen(function* () {
      const { exit, text } = yield* run({ progress: "json" }, () => Effect.fail(ioError))
      const error = yield* Effect.flip(exit)
      assert.deepInclude({ ...error }, { _tag: "ReportedError", exitCode: 6 })
      assert.deepStrictEqual(jsonLines(text).at(-1), {
        event: "failed",
        error: "FileIoError",
        message: "/x: write failed with EIO",
        exitCode: 6
      })
    })
  )

  it.effect("an interruption says what is left, in a line or in JSON, when everything is put back", () =>
    Effect.gen(function* () {
      const capture = ({ leaves }: Audience) =>
        Effect.onInterrupt(Effect.never, () => Effect.andThen(Effect.sleep("1 second"), leaves("the guest runs again")))
      const viewer = { interruptedAfter: 500, followed: { image: { path: "/no/vm.img" }, isWritten: true } }
      const line = "multifd: interrupted: the guest runs again, nothing was written\n"
      const plain = yield* run(viewer, capture)
      assert(Exit.isFailure(plain.exit) && Cause.hasInterruptsOnly(plain.exit.cause))
      assert.strictEqual(plain.text, line)
      const drawn = yield* run({ ...viewer, isTerminal: true }, capture)
      assert.isTrue(drawn.text.endsWith(`\r\u001b[K${line}`), drawn.text)
      assert.strictEqual((yield* run({ ...viewer, quiet: true }, capture)).text, "")
      const json = jsonLines((yield* run({ ...viewer, progress: "json" }, capture)).text)
      const message = "the guest runs again, nothing was written"
      assert.deepStrictEqual(json.at(-1), { event: "interrupted", message, exitCode: 130 })
    })
  )

  it.effect("an interruption of what reads an image says what that leaves", () =>
    Effect.gen(function* () {
      const followed = { image: { path: "/no/vm.img" }, left: "the receiver has no complete machine" }
      const { text } = yield* run({ interruptedAfter: 500, followed }, () => Effect.never)
      assert.strictEqual(text, "multifd: interrupted: the receiver has no complete machine\n")
    })
  )

  it.effect("the line fits the terminal, also when that changes its size", () =>
    Effect.gen(function* () {
      const columns = [100, 60, 20, 0]
      let drawn = 0
      const { text } = yield* run({ isTerminal: true, columns: () => columns[Math.floor(drawn++ / 2)] ?? 5 })
      const lines = text.split("\u001b[?7l").map((line) => line.split("\u001b[?7h")[0]!)
      assert.deepStrictEqual(
        lines.filter((line) => line.startsWith("RAM")),
        [
          "RAM 50%  512 KiB of 1.00 MiB  5.00 MiB/s  ETA 0.10 s  128 pages, 28 zero",
          "RAM 50%  512 KiB of 1.00 MiB  2.50 MiB/s  ETA 0.20 s  128 pages, 28 zero",
          "RAM 50%  512 KiB of 1.00 MiB  1.67 MiB/s  ETA 0.30 s",
          "RAM 50%  512 KiB of 1.00 MiB  1.25 MiB/s  ETA 0.40 s",
          "RAM 50%",
          "RAM 50%",
          "RAM 50%  512 KiB of 1.00 MiB  731 KiB/s  ETA 0.70 s  128 pages, 28 zero",
          "RAM 50%  512 KiB of 1.00 MiB  640 KiB/s  ETA 0.80 s  128 pages, 28 zero",
          "RAM 5"
        ]
      )
    })
  )

  it.effect("a terminal that cannot go back gets no line, but what is said once", () =>
    Effect.gen(function* () {
      for (const progress of ["auto", "line"] as const) {
        const { text } = yield* run({ isTerminal: true, isDumb: true, progress, listens: true }, listen)
        const [first, second, third, ...rest] = text.split("\n")
        assert.strictEqual(first, "listening on tcp:127.0.0.1:4444")
        assert.strictEqual(second, "multifd: warning: nobody listens here")
        assert.match(third!, /^\/no\/vm\.img: 1\.00 GiB /)
        assert.deepStrictEqual(rest, [""])
      }
    })
  )

  const untidy = (audience: Audience) =>
    Effect.ensuring(
      work(audience),
      Effect.andThen(
        Effect.ignore(Effect.fail(ioError), { log: "Error" }),
        Effect.logWarning("what was saved so far is kept in /x")
      )
    )

  it.effect("what is logged while tidying up is a line each, JSON where everything is, and nothing with --quiet", () =>
    Effect.gen(function* () {
      const lines = ["during cleanup: /x: write failed with EIO", "what was saved so far is kept in /x"]
      const plain = yield* run({}, untidy)
      assert.deepStrictEqual(
        plain.logged,
        lines.map((line) => `multifd: warning: ${line}`)
      )
      assert.deepStrictEqual(
        (yield* run({ progress: "json" }, untidy)).logged.map((line) => JSON.parse(line)),
        lines.map((message) => ({ event: "warning", message }))
      )
      assert.deepStrictEqual(
        (yield* run({ isTerminal: true }, untidy)).logged,
        lines.map((line) => `\r\u001b[Kmultifd: warning: ${line}`)
      )
      assert.deepStrictEqual((yield* run({ quiet: true }, untidy)).logged, [])
    })
  )

  it.effect("a defect is a JSON line with its trace and exit code 1, whatever error it is", () =>
    Effect.gen(function* () {
      const { exit, text } = yield* run({ progress: "json" }, () => Effect.die(ioError))
      assert.deepInclude({ ...(yield* Effect.flip(exit)) }, { _tag: "ReportedError", exitCode: 1 })
      const { trace, ...failed } = jsonLines(text).at(-1)!
      assert.deepStrictEqual(failed, {
        event: "failed",
        error: "UnexpectedError",
        message: "/x: write failed with EIO",
        exitCode: 1
      })
      assert.match(String(trace), /\n {4}at /)
    })
  )

  it.effect("shows what QEMU says of its side, in the line and in JSON", () =>
    Effect.gen(function* () {
      const both = (audience: Audience) =>
        Effect.andThen(audience.otherSide({ status: "active", "total-time": 7 }), work(audience))
      const shown = yield* run({ isTerminal: true }, both)
      assert.include(shown.text, "QEMU: active")
      const { text } = yield* run({ progress: "json" }, both)
      const first = jsonLines(text).find(({ event }) => event === "progress")
      assert.deepInclude(first, { event: "progress", qemu: { status: "active", "total-time": 7 } })
      const alone = yield* run({ progress: "json" })
      assert.notInclude(alone.text, "qemu")
    })
  )
})
