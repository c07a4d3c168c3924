import * as Completions from "effect/cli/Completions"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

const file = { _tag: "Path", pathType: "file" } as const

/** What the values of flags are the names of. */
const places = new Map<string, Completions.FlagDescriptor["type"]>([
  ["device-state", file],
  ["qmp", file],
  ["tls-psk", file],
  ["tls-dir", { _tag: "Path", pathType: "directory" }]
])

/** The parser sees plain text, since an image may be a URI; whoever presses the tab key looks for a file. */
const withFiles = (command: Completions.CommandDescriptor): Completions.CommandDescriptor => ({
  ...command,
  arguments: command.arguments.map((argument) => ({ ...argument, type: file })),
  flags: command.flags.map((flag) => ({ ...flag, type: places.get(flag.name) ?? flag.type })),
  subcommands: command.subcommands.map(withFiles)
})

/**
 * `multifd --completions SHELL`
 *
 * @internal
 */
export const completions = GlobalFlag.Action({
  flag: Flag.Literals("completions", ["bash", "zsh", "fish"]).pipe(
    Flag.withDescription("Print a script that completes command lines in the shell"),
    Flag.withMetavar("SHELL"),
    Flag.optional
  ),
  run: (shell, { command }) =>
    Option.isNone(shell)
      ? Effect.void
      : Console.log(Completions.generate(command.name, shell.value, withFiles(Completions.fromCommand(command))))
})
