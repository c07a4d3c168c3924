import type * as Command from "effect/cli/Command"
import * as Completions from "effect/cli/Completions"

const file = { _tag: "Path", pathType: "file" } as const

/** The kinds of names that flags take. */
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

/** @internal */
export const shells = ["bash", "zsh", "fish"] as const

/** Flags of all commands, which the parser's own description of a command leaves out. */
const everywhere: ReadonlyArray<Completions.FlagDescriptor> = [
  { name: "help", aliases: ["h"], description: "Show help information", type: { _tag: "Boolean" }, negation: false },
  {
    name: "json",
    aliases: [],
    description: "Print the result as one JSON document",
    type: { _tag: "Boolean" },
    negation: false
  },
  choice("log-level", "Show what is logged from this level on", ["debug", "info", "warn", "error", "none"])
]

const atTheTop: ReadonlyArray<Completions.FlagDescriptor> = [
  ...everywhere,
  {
    name: "version",
    aliases: ["v", "V"],
    description: "Show version information",
    type: { _tag: "Boolean" },
    negation: false
  }
]

/** The parser sees plain text, because an image may be a URI; completion offers files. */
const withFiles = (
  command: Completions.CommandDescriptor,
  global: ReadonlyArray<Completions.FlagDescriptor> = everywhere
): Completions.CommandDescriptor => ({
  ...command,
  arguments: command.arguments.map((argument) => ({
    ...argument,
    type: argument.type._tag === "String" ? file : argument.type
  })),
  flags: [...command.flags.map((flag) => ({ ...flag, type: places.get(flag.name) ?? flag.type })), ...global],
  subcommands: command.subcommands.map((subcommand) => withFiles(subcommand))
})

/**
 * The script of a shell.
 *
 * @internal
 */
export const scriptOf = (command: Command.Command.Any, shell: Completions.Shell): string =>
  Completions.generate(command.name, shell, withFiles(Completions.fromCommand(command), atTheTop)).replaceAll(
    "multifd --completions",
    "multifd completions"
  )
