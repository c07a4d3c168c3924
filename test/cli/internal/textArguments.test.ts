import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import { checkArguments } from "../../../src/cli/internal/textArguments.ts"
import * as MemoryDisk from "../../../src/testing/MemoryDisk.ts"

/** A system that says that this process has these arguments. */
const told = (...bytes: ReadonlyArray<string | ReadonlyArray<number>>) => {
  const disk = MemoryDisk.make()
  const parts = bytes.map((one) =>
    Buffer.concat([typeof one === "string" ? Buffer.from(one) : Buffer.from(one), Buffer.of(0)])
  )
  disk.write("/proc/self/cmdline", Buffer.concat(parts))
  return disk.layer
}

const problems = (args: ReadonlyArray<string>, layer = MemoryDisk.make().layer) =>
  checkArguments(args).pipe(
    Effect.as([] as ReadonlyArray<string>),
    Effect.catchTag("ArgumentError", (error) => {
      assert.strictEqual(error[Runtime.errorExitCode], 2)
      return Effect.succeed(error.problems)
    }),
    Effect.provide(layer)
  )

describe("arguments", () => {
  it.effect("of text are not looked up", () =>
    Effect.map(problems(["save", "größe", "😀", ""]), (found) => assert.deepStrictEqual(found, []))
  )

  it.effect("that are not UTF-8 are shown as they are", () =>
    Effect.gen(function* () {
      const layer = told(
        "node",
        "--import",
        "x",
        "multifd",
        "save",
        [0x61, 0xff, 0x27, 0x5c, 0x20, 0x7e, 0x7f, 0x1f],
        "é",
        [0xc3]
      )
      assert.deepStrictEqual(yield* problems(["save", "a\ufffd'\\ ~\x7f\x1f", "é", "\ufffd"], layer), [
        "argument 2: $'a\\xff\\x27\\x5c ~\\x7f\\x1f'",
        "argument 4: $'\\xc3'"
      ])
    })
  )

  it.effect("may hold U+FFFD where the system shows that they do", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* problems(["x\ufffd", ""], told("node", "multifd", "x\ufffd", "")), [])
      const doubtful = ['argument 1: "x\ufffd"']
      assert.deepStrictEqual(yield* problems(["x\ufffd"]), doubtful)
      assert.deepStrictEqual(yield* problems(["x\ufffd"], told("node", "multifd", "other")), doubtful)
      assert.deepStrictEqual(yield* problems(["x\ufffd"], told()), doubtful)
    })
  )
})
