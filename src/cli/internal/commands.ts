import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Command from "effect/cli/Command"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Flag from "effect/cli/Flag"
import type * as HelpDoc from "effect/cli/HelpDoc"
import * as Effect from "effect/Effect"
import { captureCommand } from "./captureCommand.ts"
import { completionsCommand } from "./completionsCommand.ts"
import { convertCommand } from "./convertCommand.ts"
import { groups } from "./define.ts"
import { diffCommand } from "./diffCommand.ts"
import { dumpCommand } from "./dumpCommand.ts"
import { helpCommand } from "./helpCommand.ts"
import { infoCommand } from "./infoCommand.ts"
import { scriptOf } from "./completions.ts"
import type { Program } from "./program.ts"
import { receiveCommand } from "./receiveCommand.ts"
import { recoverCommand } from "./recoverCommand.ts"
import { restoreCommand } from "./restoreCommand.ts"
import { resumeCommand } from "./resumeCommand.ts"
import { saveCommand } from "./saveCommand.ts"
import { searchCommand } from "./searchCommand.ts"
import { sealCommand } from "./sealCommand.ts"
import { sendCommand } from "./sendCommand.ts"
import { verifyCommand } from "./verifyCommand.ts"

/**
 * Every command, in the order of the help. A new command is added only here: help, man pages, the reference, the
 * completions and the JSON Schema are made from this list.
 *
 * @internal
 */
export const commands = [
  captureCommand,
  resumeCommand,
  receiveCommand,
  sendCommand,
  infoCommand,
  verifyCommand,
  sealCommand,
  recoverCommand,
  convertCommand,
  saveCommand,
  restoreCommand,
  searchCommand,
  dumpCommand,
  diffCommand,
  helpCommand,
  completionsCommand
] as const

/** The JSON output is selected before the command line is parsed; here the flag only gets its place in the help. */
const json = GlobalFlag.Setting("json")({
  flag: Flag.Boolean("json").pipe(
    Flag.withoutNegation,
    Flag.withDescription("Print the result, or the error, as one JSON document on stdout"),
    Flag.withDefault(false)
  )
})

const version = GlobalFlag.Action({
  flag: Flag.Boolean("version").pipe(
    Flag.withoutNegation,
    Flag.withAlias("V"),
    Flag.withAlias("v"),
    Flag.withDescription("Show the version"),
    Flag.withDefault(false)
  ),
  run: Effect.fnUntraced(function* (_, { command, version }) {
    const presenter = yield* CliOutput.Presenter
    yield* presenter.present({ _tag: "Version", name: command.name, version })
  })
})

const grouped = groups.map((group) => ({
  group: group.toUpperCase(),
  commands: commands.filter((one) => one.group === group).map(({ command }) => command)
}))

const DESCRIPTION = "Save, restore, send and receive the RAM of virtual machines, in QEMU's own formats"

/**
 * The command with all of its subcommands.
 *
 * @internal
 */
export const multifd = Command.make("multifd").pipe(
  Command.withDescription(DESCRIPTION),
  Command.withSubcommands(grouped.filter(({ commands }) => commands.length > 0)),
  Command.withGlobalFlags([version, json])
)

/**
 * The parser's built-in flags.
 *
 * @internal
 */
export const config = CliConfig.make({ builtIns: [GlobalFlag.Help, GlobalFlag.LogLevel] })

/** The parser provides the help of a command only to its presenter. */
const helpOf = Effect.fnUntraced(function* (name?: string) {
  let doc: HelpDoc.HelpDoc | undefined
  const present = (event: CliOutput.Presenter.Event) =>
    Effect.sync(() => {
      if (event._tag === "Help") doc = event.helpDoc
    })
  yield* Command.runWith(inert, { version: "" })([...(name === undefined ? [] : [name]), "--help"]).pipe(
    Effect.provideService(CliOutput.Presenter, { present }),
    Effect.provideService(CliConfig.CliConfig, config)
  )
  return doc ?? (yield* new CliError.ValidationError({ message: "no help" }))
})

/**
 * Parses the same command lines without any effect.
 *
 * @internal
 */
export const inert = Command.make("multifd").pipe(
  Command.withDescription(DESCRIPTION),
  Command.withSubcommands(
    groups
      .map((group) => ({
        group: group.toUpperCase(),
        commands: commands.filter((one) => one.group === group).map((one) => one.inert)
      }))
      .filter((one) => one.commands.length > 0)
  ),
  Command.withGlobalFlags([version, json])
)

/**
 * The program as its own commands see it.
 *
 * @internal
 */
export const program: Program = {
  names: commands.map(({ name }) => name),
  helpOf,
  completions: (shell) => scriptOf(multifd, shell)
}
