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
      assert.strictEqual(yield* said(), "multifd: expected a command")
      assert.strictEqual(yield* said("bogus"), 'multifd: there is no command "bogus"')
      assert.strictEqual(yield* said("sav"), 'multifd: there is no command "sav"\nDid you mean save?')
      assert.strictEqual(yield* said("save", "vm.img"), "multifd save: --block is missing")
      assert.strictEqual(yield* said("save", ...block), "multifd save: OUT is missing")
      assert.strictEqual(
        yield* said("save", "vm.img", "--seal"),
        "multifd save: --seal: expected crc32 | sha256 | hmac-sha256 | none, found nothing"
      )
      assert.strictEqual(
        yield* said("save", ...block, "vm.img", "--chanels", "3"),
        "multifd save: there is no --chanels\nDid you mean --channels?"
      )
      assert.strictEqual(
        yield* said("save", ...block, "vm.img", "a", "b"),
        'multifd save: expected no more arguments, found "a", "b"'
      )
      assert.strictEqual(
        yield* said("save", ...block, "vm.img", "--channels", "0"),
        "multifd save: --channels: expected 1 to 255 channels, found 0"
      )
      assert.strictEqual(
        yield* said("save", ...block, "vm.img", "--channels", "x"),
        'multifd save: --channels: expected a number, found "x"'
      )
      assert.strictEqual(
        yield* said("save", ...block, "vm.img", "--seal", "md5"),
        'multifd save: --seal: expected "crc32" | "sha256" | "hmac-sha256" | "none", found "md5"'
      )
      assert.strictEqual(
        yield* said("info", "tcp:1.2.3.4:1"),
        'multifd info: IMAGE: expected file:PATH or a path, found "tcp:1.2.3.4:1"'
      )
    })
  )

  it("sentences of others begin in lower case, and keep what is a name", () => {
    const problem = (expected: string) =>
      usageProblem(new CliError.InvalidValue({ option: "x", value: "1", expected, kind: "flag" }))
    assert.strictEqual(problem("Expected a Unix socket"), '--x: expected a Unix socket, found "1"')
    assert.strictEqual(problem("a Unix socket"), '--x: expected a Unix socket, found "1"')
    assert.strictEqual(problem("URI of a socket"), '--x: expected URI of a socket, found "1"')
  })
})
