import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Command from "../../support/cli/command.ts"

const commands = "save restore convert receive send capture resume seal recover info verify".split(" ")

/** The line of a fish script that completes a flag of a command. */
const lineOf = (script: string, command: string, flag: string): string | undefined =>
  script.split("\n").find((line) => line.includes(`seen_subcommand_from ${command};`) && line.includes(` -l ${flag} `))

describe("completions", () => {
  it.effect("flags whose values are files are completed with files, and no others are", () =>
    Effect.gen(function* () {
      const script = (yield* Command.run("completions", "fish")).stdout
      let files = 0
      for (const command of commands) {
        const help = (yield* Command.run(command, "--help")).stdout
        for (const [, flag, metavar] of help.matchAll(/^ {2}--([a-z-]+) ([^ ]+) {4}/gm)) {
          if (flag === "log-level") continue
          const isFile = ["PATH", "FILE", "DIR", "IMAGE", "SOCKET"].includes(metavar!)
          const line = lineOf(script, command, flag!)
          assert.isDefined(line, `${command} --${flag}`)
          assert.strictEqual(/ -r (?:-F|.*__fish_complete_directories)/.test(line!), isFile, line)
          if (isFile) files++
        }
      }
      assert.isAbove(files, 10)
    })
  )

  it.effect("what can stand everywhere is completed as well", () =>
    Effect.gen(function* () {
      const script = (yield* Command.run("completions", "fish")).stdout
      for (const command of commands) assert.isDefined(lineOf(script, command, "log-level"), command)
      for (const flag of ["help", "version", "log-level", "json"]) assert.match(script, new RegExp(` -l ${flag} `))
    })
  )
})
