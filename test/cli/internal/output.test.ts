import { assert, describe, it } from "@effect/vitest"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import { written } from "../../../src/cli/internal/output.ts"
import * as Stderr from "../../support/cli/stderr.ts"

const errno = (code: string, number: number) => Object.assign(new Error(code), { code, errno: -number })

const command = Effect.andThen(Console.log("first", 1), Console.log("second"))

const runWith = <E>(self: Effect.Effect<void, E>, stdoutFailure?: Error) =>
  Effect.gen(function* () {
    const stdio = Stderr.make({ isTerminal: false, stdoutFailure })
    const exit = yield* Effect.exit(Effect.provide(written(self), stdio.layer))
    return { exit, stdout: stdio.stdout() }
  })

describe("what a command prints", () => {
  it.effect("is on stdout when it ends, whichever way", () =>
    Effect.gen(function* () {
      const stdout = "first 1\nsecond\n"
      assert.deepStrictEqual(yield* runWith(command), { exit: Exit.void, stdout })
      const failed = yield* runWith(Effect.andThen(command, Effect.fail("no")))
      assert.deepStrictEqual(failed, { exit: Exit.fail("no"), stdout })
      assert.deepStrictEqual(yield* runWith(Effect.void, errno("EIO", 5)), { exit: Exit.void, stdout: "" })
    })
  )

  it.effect.each([
    [errno("ENOSPC", 28), "NoSpaceError", 7, "standard output: write: no space left (ENOSPC)"],
    [errno("Unknown system error -122", 122), "NoSpaceError", 7, "standard output: write: no space left (EDQUOT)"],
    [errno("EIO", 5), "FileIoError", 6, "standard output: write failed with EIO"]
  ] as const)("fails it where it cannot be written: %s", ([cause, tag, code, message]) =>
    Effect.gen(function* () {
      const { exit } = yield* runWith(command, cause)
      const error = yield* Effect.flip(exit)
      assert.include(error, { _tag: tag, message })
      assert.strictEqual(error[Runtime.errorExitCode], code)
    })
  )

  it.effect("is missed by no reader that went away", () =>
    Effect.map(runWith(command, errno("EPIPE", 32)), ({ exit }) => assert.deepStrictEqual(exit, Exit.void))
  )

  it.effect("does not take the place of the failure that the command had", () =>
    Effect.map(runWith(Effect.andThen(command, Effect.fail("first")), errno("ENOSPC", 28)), ({ exit }) =>
      assert.deepStrictEqual(exit, Exit.fail("first"))
    )
  )
})
