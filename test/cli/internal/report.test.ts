import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as TestConsole from "effect/testing/TestConsole"
import { reported as report, whenInterrupted } from "../../../src/cli/internal/report.ts"
import { ReportedError } from "../../../src/cli/internal/reportedError.ts"
import { NoSpaceError } from "../../../src/io/files/FileError.ts"

const noSpace = new NoSpaceError({ operation: "write", path: "/a\nb", code: "ENOSPC" })

const codeOf = (exit: Exit.Exit<never, unknown>): number => {
  let code = -1
  Runtime.defaultTeardown(exit, (value) => void (code = value))
  return code
}

const ended = Effect.fnUntraced(
  function* (cause: Cause.Cause<unknown>) {
    const exit = yield* Effect.exit(report(Effect.failCause(cause)))
    return { text: (yield* TestConsole.errorLines).join("\n"), code: codeOf(exit) }
  },
  Effect.provide(Layer.fresh(TestConsole.layer))
)

const reported = (cause: Cause.Cause<unknown>) => Effect.map(ended(cause), ({ text }) => text)

describe("report", () => {
  it.effect("what can go wrong is one line", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* reported(Cause.fail(noSpace)), "multifd: /a b: write: no space left (ENOSPC)")
    })
  )

  it.effect("the first failure counts, whatever came with it", () =>
    Effect.gen(function* () {
      const cause = Cause.combine(Cause.interrupt(), Cause.combine(Cause.fail(noSpace), Cause.die("later")))
      assert.match(yield* reported(cause), /^multifd: .*no space left \(ENOSPC\)$/)
    })
  )

  it.effect("what must not go wrong comes with a trace", () =>
    Effect.gen(function* () {
      const text = yield* reported(Cause.die(new TypeError("x is not a function")))
      assert.match(text, /^multifd: unexpected error, please report it\nTypeError: x is not a function\n {4}at /)
    })
  )

  it.effect("interruption, and what has been said before, need no words", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* reported(Cause.interrupt()), "")
      assert.strictEqual(yield* reported(Cause.fail(new ReportedError({ exitCode: 7 }))), "")
      assert.strictEqual(Runtime.getErrorExitCode(new ReportedError({ exitCode: 7 })), 7)
    })
  )

  it.effect("what must not go wrong ends with 1, even where it is an error that has another exit code", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* ended(Cause.fail(noSpace))).code, 7)
      assert.strictEqual((yield* ended(Cause.interrupt())).code, 130)
      const { code, text } = yield* ended(Cause.die(noSpace))
      assert.strictEqual(code, 1)
      assert.match(text, /^multifd: unexpected error, please report it\n[^]*no space left \(ENOSPC\)\n {4}at /)
      assert.strictEqual((yield* ended(Cause.combine(Cause.interrupt(), Cause.die(noSpace)))).code, 1)
    })
  )

  it.effect("an interruption says what is left", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(whenInterrupted("nothing was written")(Effect.interrupt))
      assert.isTrue(Exit.hasInterrupts(exit))
      assert.deepStrictEqual(yield* TestConsole.errorLines, ["multifd: interrupted: nothing was written"])
    }).pipe(Effect.provide(Layer.fresh(TestConsole.layer)))
  )

  it.effect("what was not interrupted says nothing of it", () =>
    Effect.gen(function* () {
      yield* whenInterrupted("nothing was written")(Effect.void)
      yield* Effect.exit(whenInterrupted("nothing was written")(Effect.fail("no")))
      assert.deepStrictEqual(yield* TestConsole.errorLines, [])
    }).pipe(Effect.provide(Layer.fresh(TestConsole.layer)))
  )
})
