import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { captureCommand } from "./captureCommand.ts"
import { completions } from "./completions.ts"
import { convertCommand } from "./convertCommand.ts"
import { groups } from "./define.ts"
import { infoCommand } from "./infoCommand.ts"
import { receiveCommand } from "./receiveCommand.ts"
import { recoverCommand } from "./recoverCommand.ts"
import { restoreCommand } from "./restoreCommand.ts"
import { resumeCommand } from "./resumeCommand.ts"
import { saveCommand } from "./saveCommand.ts"
import { sealCommand } from "./sealCommand.ts"
import { sendCommand } from "./sendCommand.ts"
import { verifyCommand } from "./verifyCommand.ts"

/**
 * Every command, in the order of the help. A new command is added here and nowhere else: help, man pages, the reference, the
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
  restoreCommand
] as const

/** Whether the answer is JSON is decided before the command line is parsed; here the flag gets its place in the help. */
const json = GlobalFlag.Setting("json")({
  flag: Flag.Boolean("json").pipe(
    Flag.withoutNegation,
    Flag.withDescription("Print the result, or the error, as one JSON document on stdout"),
    Flag.withDefault(false)
  )
})

const grouped = groups.map((group) => ({
  group: `${group.toUpperCase()}`,
  commands: commands.filter((one) => one.group === group).map(({ command }) => command)
}))

/**
 * The command with all of its subcommands.
 *
 * @internal
 */
export const multifd = Command.make("multifd").pipe(
  Command.withDescription("Save, restore, send and receive virtual-machine RAM in parallel, as QEMU does it"),
  Command.withSubcommands(grouped.filter(({ commands }) => commands.length > 0)),
  Command.withGlobalFlags([json, completions])
)
