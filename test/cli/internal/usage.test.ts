import { assert, describe, it } from "@effect/vitest"
import * as CliError from "effect/cli/CliError"
import * as Effect from "effect/Effect"
import { usageProblem } from "../../../src/cli/internal/usage.ts"
import * as Command from "../../support/cli/command.ts"

const said = (...args: ReadonlyArray<string>) =>
  Effect.map(Command.run(...args), ({ code, stderr, stdout }) => {
    assert.deepStrictEqual({ code, stdout }, { code: 2, stdout: "" })
    const [problem, ...hints] = stderr.trimEnd().split("\n")
    assert.match(hints.pop()!, /^Try "multifd.* --help"\.$/)
    return [problem, ...hints].join("\n")
  })

describe("usage", () => {
  it.effect("what is wrong with a command line is one line, in the words of the other errors", () =>
    Effect.gen(function* () {
      const block = ["--block", "pc.ram=ram"]
      assert.strictEqual(yield* said(), "multifd: there is no command; name one")
      assert.strictEqual(yield* said("bogus"), 'multifd: there is no command "bogus"')
      assert.strictEqual(yield* said("sav"), 'multifd: there is no command "sav"\nDid you mean save?')
      assert.strictEqual(yield* said("save", "vm.img"), "multifd save: --block is missing")
      assert.strictEqual(yield* said("save", ...block), "multifd save: OUT is missing")
      assert.strictEqual(
        yield* said("save", "vm.img", "--seal"),
        "multifd save: --seal is empty; use crc32 | sha256 | hmac-sha256 | none"
      )
      assert.strictEqual(
        yield* said("save", ...block, "vm.img", "--chanels", "3"),
        "multifd save: there is no --chanels\nDid you mean --channels?"
      )
      assert.strictEqual(
        yield* said("save", ...block, "vm.img", "a", "b"),
        'multifd save: there are too many arguments; leave out "a", "b"'
      )
      assert.strictEqual(
        yield* said("save", ...block, "vm.img", "--channels", "0"),
        'multifd save: --channels is "0"; use 1 to 255'
      )
      assert.strictEqual(
        yield* said("save", ...block, "vm.img", "--channels", "x"),
        'multifd save: --channels is "x"; use a number'
      )
      assert.strictEqual(
        yield* said("save", ...block, "vm.img", "--seal", "md5"),
        'multifd save: --seal is "md5"; use "crc32" | "sha256" | "hmac-sha256" | "none"'
      )
      assert.strictEqual(
        yield* said("info", "tcp:1.2.3.4:1"),
        'multifd info: IMAGE: "tcp:1.2.3.4:1" is no file; use file:PATH or a path'
      )
    })
  )

  it("sentences of others begin in lower case, and keep what is a name", () => {
    const problem = (expected: string) =>
      usageProblem(new CliError.InvalidValue({ option: "x", value: "1", expected, kind: "flag" }))
    assert.strictEqual(problem("Expected a Unix socket"), '--x is "1"; use a Unix socket')
    assert.strictEqual(problem("a Unix socket"), '--x is "1"; use a Unix socket')
    assert.strictEqual(problem("URI of a socket"), '--x is "1"; use URI of a socket')
  })
})
