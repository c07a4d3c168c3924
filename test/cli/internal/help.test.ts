import { assert, describe, it } from "@effect/vitest"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as CliConfig from "effect/cli/CliConfig"
import * as Cli from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { commands, config, inert } from "../../../src/cli/internal/commands.ts"
import { groups } from "../../../src/cli/internal/define.ts"
import { helpText } from "../../../src/cli/internal/help.ts"
import { topics } from "../../../src/cli/internal/topics.ts"
import * as Screen from "../../../src/cli/internal/screen.ts"
import * as Command from "../../support/cli/command.ts"

const names = commands.map(({ name }) => name)

const helpIn = (columns: number | undefined, ...command: ReadonlyArray<string>) =>
  Command.run(...command, "--help").pipe(
    Effect.provideService(Screen.Screen, {
      columns: () => undefined,
      outputColumns: () => columns,
      isDumb: () => false
    }),
    Effect.map(({ stdout }) => stdout)
  )

const words = (text: string): string => text.trim().replaceAll(/\s+/g, " ")

/** What is there to be copied stays in one piece. */
const withoutExamples = (text: string): string => text.split("\nEXAMPLES\n")[0]!

describe("help", () => {
  it.effect("fits into 80 columns, and nothing of it is lost", () =>
    Effect.gen(function* () {
      for (const command of [[], ...names.map((name) => [name])]) {
        const wide = yield* helpIn(undefined, ...command)
        const narrow = yield* helpIn(80, ...command)
        assert.strictEqual(words(narrow), words(wide))
        const long = withoutExamples(narrow)
          .split("\n")
          .filter((line) => line.length > 80)
        assert.deepStrictEqual(long, [], command.join(" "))
        const cut = /\nEXAMPLES\n[^]*$/
        assert.strictEqual(cut.exec(narrow)?.[0], cut.exec(wide)?.[0])
      }
    })
  )

  it.effect("says in the usage what a command cannot do without", () =>
    Effect.gen(function* () {
      assert.include(yield* helpIn(80, "send"), "\n  multifd send --to URI [flags] <IMAGE>\n")
      assert.include(yield* helpIn(80, "info"), "\n  multifd info [flags] <IMAGE>\n")
      assert.include(yield* helpIn(80, "capture"), "\n  multifd capture --qmp SOCKET [flags] <OUT>\n")
    })
  )

  it.effect("the later lines of a description are below its first", () =>
    Effect.gen(function* () {
      const lines = (yield* helpIn(80)).split("\n")
      const level = lines.findIndex((line) => line.startsWith("  --log-level LEVEL    Lowest"))
      assert.match(lines[level + 1]!, /^ {23}\S/)
    })
  )

  it.effect("commands are in groups, and every one of them is there; topics follow", () =>
    Effect.gen(function* () {
      const help = yield* helpIn(100)
      const titles = help.split("\n").filter((line) => /^[A-Z]/.test(line))
      assert.deepStrictEqual(titles, [
        "DESCRIPTION",
        "USAGE",
        ...groups.filter((group) => commands.some((one) => one.group === group)).map((group) => group.toUpperCase()),
        "TOPICS: multifd help TOPIC",
        "GLOBAL FLAGS"
      ])
      for (const name of [...names, ...topics.map((topic) => topic.name)]) {
        assert.match(help, new RegExp(`^  ${name} +\\S`, "m"))
        assert.strictEqual((yield* Command.run("help", name)).code, 0, name)
      }
      assert.strictEqual((yield* Command.run("help")).stdout, (yield* Command.run("--help")).stdout)
      assert.strictEqual((yield* Command.run("help", "send")).stdout, (yield* Command.run("send", "--help")).stdout)
      assert.include((yield* Command.run("help", "exit-codes")).stdout, "  12     recovered with losses")
    })
  )

  it.effect("every example is a command line that parses", () =>
    Effect.gen(function* () {
      const parse = Cli.runWith(inert, { version: "1.2.3" })
      for (const { command } of commands) {
        assert.isNotEmpty(command.examples, command.name)
        for (const { command: line } of command.examples) {
          const [program, ...args] = line.split(/ (?:>|&&) /)[0]!.split(" ")
          assert.strictEqual(program, "multifd", line)
          assert.strictEqual(args[0], command.name, line)
          yield* parse(args).pipe(
            Effect.provideService(CliConfig.CliConfig, config),
            Effect.provide(NodeServices.layer)
          )
        }
      }
    })
  )

  it("colors are in front of a description, and take no room", () => {
    const doc = {
      description: "Save RAM",
      usage: "multifd save [flags]",
      flags: [
        {
          name: "block",
          aliases: [],
          type: "ID",
          required: true,
          description: { _tag: "Some", value: "one two three four five six seven eight nine" }
        },
        { name: "live", aliases: [], type: "boolean", required: true, description: { _tag: "None" } },
        { name: "level", aliases: [], type: "N", required: false, description: { _tag: "None" } }
      ]
    } as unknown as Parameters<typeof helpText>[0]
    const plain = helpText(doc, { columns: 50 })
    assert.include(plain, "\n  multifd save --block ID [flags]\n")
    assert.include(plain, "  --block ID    one two three four five six seven\n                eight nine")
    const colored = helpText(doc, { columns: 50, colors: true })
    assert.strictEqual(colored.replaceAll(new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, "g"), ""), plain)
    assert.notStrictEqual(colored, plain)
  })

  it.effect("a terminal that is too narrow for two columns has the descriptions below", () =>
    Effect.gen(function* () {
      const help = yield* helpIn(40, "save")
      assert.include(help, "\n  --device-state IMAGE\n          Take configuration, device\n          state")
    })
  )
})
