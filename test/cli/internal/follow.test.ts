import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import {
  type Audience,
  type Flags,
  follow,
  otherSideText,
  progressLine,
  summaryLine
} from "../../../src/cli/internal/follow.ts"
import { FileIoError } from "../../../src/io/FileError.ts"
import type { Summary } from "../../../src/migration/Migration.ts"
import * as Stderr from "../support/stderr.ts"

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

const run = Effect.fnUntraced(function* (
  options: Partial<Flags> & { readonly isTerminal?: boolean; readonly listens?: boolean },
  operation: (audience: Audience) => Effect.Effect<Summary, FileIoError> = work
) {
  const { isTerminal = false, listens = false, progress = "auto", quiet = false } = options
  const stderr = Stderr.make({ isTerminal })
  const fiber = yield* Effect.forkChild(
    follow({ progress, quiet }, operation, listens ? "listener" : "source").pipe(
      Effect.provide(stderr.layer),
      Effect.exit
    )
  )
  yield* Effect.repeat(TestClock.adjust("100 millis"), { times: 30 })
  const exit = yield* Fiber.join(fiber)
  return { exit, text: stderr.text() }
})

const jsonLines = (text: string): ReadonlyArray<Record<string, unknown>> =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>)

describe("follow", () => {
  it.effect("draws a line on a terminal, and leaves the summary", () =>
    Effect.gen(function* () {
      const { exit, text } = yield* run({ isTerminal: true })
      assert(Exit.isSuccess(exit))
      const drawn = text.split("\r\u001b[K")
      assert.isAbove(drawn.length, 10)
      assert.include(text, "RAM 50%  512 KiB of 1.00 MiB  128 pages, 28 zero")
      assert.include(text, "multifd: warning: nobody listens here\n")
      assert.strictEqual(drawn.at(-1), `${summaryLine(summary)}\n`)
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

  it.effect("an interruption is a JSON line as well", () =>
    Effect.gen(function* () {
      const stderr = Stderr.make({ isTerminal: false })
      const fiber = yield* Effect.forkChild(
        Effect.provide(
          follow({ progress: "json", quiet: false }, () => Effect.never),
          stderr.layer
        )
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(jsonLines(stderr.text()).at(-1), { event: "interrupted", exitCode: 130 })
    })
  )

  it("knows no rate and no end before there is one", () => {
    const now = {
      phase: "setup" as const,
      bytesTotal: 0,
      bytesDone: 0,
      bytesRemaining: 0,
      pages: 0,
      normalPages: 0,
      zeroPages: 0,
      bytesTransferred: 0,
      elapsedMillis: 0,
      phaseMillis: { setup: 0, ram: 0, device: 0, sync: 0 },
      bytesPerSecond: 0,
      etaMillis: undefined
    }
    assert.strictEqual(progressLine(now), "setting up")
    const known = { ...now, bytesTotal: 2 ** 20 }
    assert.notInclude(progressLine(known), "ETA")
    const moving = { ...known, phase: "ram" as const, bytesPerSecond: 2 ** 30, etaMillis: 61_000 }
    assert.include(progressLine(moving), "ETA 1 min 01 s")
    assert.include(summaryLine(summary), "1.00 GiB (262144 pages, 144 zero) in 1.00 s, 1.00 GiB/s")
  })

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

  it("QEMU's side in a few words", () => {
    assert.strictEqual(otherSideText({}), "QEMU: none")
    const ram = { remaining: 3 * 2 ** 20, "dirty-sync-count": 4 }
    const statistics = { status: "active", ram: { ...ram } } as unknown as Parameters<typeof otherSideText>[0]
    assert.strictEqual(otherSideText(statistics), "QEMU: active, 3.00 MiB left, pass 4")
  })
})
