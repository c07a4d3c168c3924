import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as TestConsole from "effect/testing/TestConsole"
import { report, ReportedError } from "../../../src/cli/internal/report.ts"
import { NoSpaceError } from "../../../src/io/FileError.ts"

const noSpace = new NoSpaceError({ operation: "write", path: "/a\nb", code: "ENOSPC" })

const reported = (cause: Cause.Cause<unknown>) =>
  Effect.andThen(report(cause), TestConsole.errorLines).pipe(Effect.map((lines) => lines.join("\n")))

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
})
