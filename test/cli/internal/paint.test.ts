import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Paint from "../../../src/cli/internal/paint.ts"
import * as Command from "../../support/cli/command.ts"
import { folder, pages } from "../../support/cli/files.ts"

const colored = { stdout: Paint.make(true), stderr: Paint.make(true) }
const red = (text: string): string => `\u001b[31m${text}\u001b[0m`
const green = (text: string): string => `\u001b[32m${text}\u001b[0m`

describe("paint", () => {
  it("NO_COLOR counts more than FORCE_COLOR, and that more than the terminal", () => {
    assert.isTrue(Paint.isColored(true, {}))
    assert.isFalse(Paint.isColored(false, {}))
    assert.isFalse(Paint.isColored(true, { TERM: "dumb" }))
    assert.isFalse(Paint.isColored(true, { NO_COLOR: "1", FORCE_COLOR: "1" }))
    assert.isTrue(Paint.isColored(true, { NO_COLOR: "" }))
    assert.isTrue(Paint.isColored(false, { FORCE_COLOR: "1" }))
    for (const FORCE_COLOR of ["", "0", "false"]) assert.isFalse(Paint.isColored(false, { FORCE_COLOR }))
  })

  it.effect("verdicts and errors have colours where the streams take them, and none elsewhere", () =>
    Effect.gen(function* () {
      const { at, write } = yield* folder
      write("ram", pages(3))
      yield* Command.run("save", "--block", `pc.ram=${at("ram")}`, at("vm.img"))
      const verify = (name: string) =>
        Command.run("verify", at(name)).pipe(Effect.provideService(Paint.Paints, colored))
      assert.include((yield* verify("vm.img")).stdout, `: ${green("OK")}: every page`)
      assert.include((yield* verify("ram")).stdout, `${red("error")} magic-wrong: `)
      assert.isTrue((yield* verify("nothing")).stderr.startsWith(`${red("multifd:")} `))
      assert.notInclude((yield* Command.run("verify", at("vm.img"))).stdout, "\u001b")
    })
  )
})
