/** What a command says while it tidies up, and something goes wrong with that, too. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import * as Command from "../support/cli/command.ts"
import { folder, pages } from "../support/cli/files.ts"

const names = new Set<FaultyFiles.Name>(["unlink", "rename"])

/** An image never gets its name, and the temporary file cannot be removed. */
const broken = FaultyFiles.make(
  FaultyFiles.when(({ name }) => names.has(name), FaultyFiles.Fault.Fail({ code: "EIO" }))
).layer

const commands = {
  save: (at: (name: string) => string) => ["save", "--block", `pc.ram=${at("ram")}`, at("new.img")],
  convert: (at: (name: string) => string) => ["convert", at("vm.img"), at("new.img")],
  restore: (at: (name: string) => string) => ["restore", at("vm.img"), "--block", `pc.ram=${at("new")}`],
  recover: (at: (name: string) => string) => ["recover", at("vm.img"), at("new.img")]
}

const prepared = Effect.gen(function* () {
  const files = yield* folder
  files.write("ram", pages(40))
  const saved = yield* Command.run("save", "--block", `pc.ram=${files.at("ram")}`, files.at("vm.img"))
  assert.strictEqual(saved.code, 0)
  return files
})

describe("a command that cannot tidy up", () => {
  for (const [name, argsIn] of Object.entries(commands)) {
    it.effect(`${name}: a line for each thing that went wrong, and no stack`, () =>
      Effect.gen(function* () {
        const { at } = yield* prepared
        const { code, stderr, stdout } = yield* Effect.provide(Command.run(...argsIn(at)), broken)
        assert.deepStrictEqual({ code, stdout }, { code: 6, stdout: "" })
        const lines = stderr.trimEnd().split("\n").toSorted()
        assert.lengthOf(lines, 2, stderr)
        assert.match(lines[0]!, /^multifd: \/.*: rename failed with EIO$/)
        assert.match(lines[1]!, /^multifd: warning: during cleanup: \/.*\.part: unlink failed with EIO$/)
      })
    )
  }

  it.effect("JSON where everything is, and the error alone with --quiet", () =>
    Effect.gen(function* () {
      const { at } = yield* prepared
      const args = commands.convert(at)
      const { stderr } = yield* Effect.provide(Command.run(...args, "--progress", "json"), broken)
      const events = stderr
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line))
      assert.deepStrictEqual(
        events
          .map(({ event }) => event)
          .filter((event) => event !== "progress")
          .toSorted(),
        ["failed", "warning"]
      )
      const quiet = yield* Effect.provide(Command.run(...args, "--quiet"), broken)
      assert.match(quiet.stderr, /^multifd: \/[^\n]*: rename failed with EIO\n$/)
    })
  )
})
