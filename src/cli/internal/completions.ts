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
  ["key-file", file],
  ["source-key-file", file],
  ["qmp", file],
  ["tls-psk", file],
  ["tls-dir", { _tag: "Path", pathType: "directory" }]
])

const choice = (name: string, description: string, values: ReadonlyArray<string>): Completions.FlagDescriptor => ({
  name,
  description,
  aliases: [],
  type: { _tag: "Choice", values }
})

const shells = ["bash", "zsh", "fish"] as const

/** What can stand everywhere. The parser's own description of a command leaves it out. */
const everywhere: ReadonlyArray<Completions.FlagDescriptor> = [
  { name: "help", aliases: ["h"], description: "Show help information", type: { _tag: "Boolean" }, negation: false },
  choice("log-level", "Show what is logged from this level on", ["debug", "info", "warn", "error", "none"])
]

const atTheTop: ReadonlyArray<Completions.FlagDescriptor> = [
  ...everywhere,
  {
    name: "version",
    aliases: ["v"],
    description: "Show version information",
    type: { _tag: "Boolean" },
    negation: false
  },
  choice("completions", "Print a script that completes command lines in the shell", shells)
]

/** The parser sees plain text, since an image may be a URI; whoever presses the tab key looks for a file. */
const withFiles = (
  command: Completions.CommandDescriptor,
  global: ReadonlyArray<Completions.FlagDescriptor> = everywhere
): Completions.CommandDescriptor => ({
  ...command,
  arguments: command.arguments.map((argument) => ({ ...argument, type: file })),
  flags: [...command.flags.map((flag) => ({ ...flag, type: places.get(flag.name) ?? flag.type })), ...global],
  subcommands: command.subcommands.map((subcommand) => withFiles(subcommand))
})

/**
 * `multifd --completions SHELL`
 *
 * @internal
 */
export const completions = GlobalFlag.Action({
  flag: Flag.Literals("completions", shells).pipe(
    Flag.withDescription("Print a script that completes command lines in the shell"),
    Flag.withMetavar("SHELL"),
    Flag.optional
  ),
  run: (shell, { command }) =>
    Option.isNone(shell)
      ? Effect.void
      : Console.log(
          Completions.generate(command.name, shell.value, withFiles(Completions.fromCommand(command), atTheTop))
        )
})
