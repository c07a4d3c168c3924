/** The help of a command as data, from which the text for a terminal, the man page and the reference are made. */
import type * as HelpDoc from "effect/cli/HelpDoc"
import * as Option from "effect/Option"
import type { Page, Row, Section } from "./helpSection.ts"
import { topics } from "./topics.ts"

const LEVELS = "Lowest level of log messages to show: all, trace, debug, info (default), warn, error, fatal, none"

/** The levels are in the description; as the name of the value they would be wider than a terminal. */
const withShortLevel = (flag: HelpDoc.FlagDoc): HelpDoc.FlagDoc =>
  flag.name === "log-level" ? { ...flag, type: "LEVEL", description: Option.some(LEVELS) } : flag

/** The parser's names of types, as metavariables. */
const metavars: Readonly<Record<string, string>> = { integer: "N", number: "N", string: "TEXT", choice: "CHOICE" }

const isRequired = (flag: HelpDoc.FlagDoc): boolean => flag.required && flag.type !== "boolean"

/** The command line, with all required flags. */
const usageOf = ({ flags, subcommands = [], usage }: HelpDoc.HelpDoc): string => {
  const required = flags.filter(isRequired).map(({ name, type }) => `--${name} ${metavars[type] ?? type}`)
  if (subcommands.length > 0) return usage.replace("<subcommand>", "COMMAND")
  return required.length === 0 ? usage : usage.replace(" [flags]", ` ${required.join(" ")} [flags]`)
}

const flagRow = ({ aliases, description, name, type }: HelpDoc.FlagDoc): Row => {
  const value = type === "boolean" ? "" : ` ${metavars[type] ?? type}`
  return { term: `${[`--${name}`, ...aliases].join(", ")}${value}`, text: textOf(description) }
}

const argumentRow = ({ description, name, required, type, variadic }: HelpDoc.ArgDoc): Row => ({
  term: `${name}${variadic ? "..." : ""} ${metavars[type] ?? type}`,
  text: `${textOf(description)}${required ? "" : " (optional)"}`
})

const textOf = (description: Option.Option<string>): string =>
  Option.getOrElse(description, () => "").replace(/ \(choices: (.*)\)$/, "; one of: $1")

const rows = (title: string, all: ReadonlyArray<Row>): ReadonlyArray<Section> =>
  all.length === 0 ? [] : [{ title, body: { _tag: "Rows", rows: all } }]

const groupSections = ({ subcommands = [] }: HelpDoc.HelpDoc): ReadonlyArray<Section> =>
  subcommands.flatMap(({ commands, group = "COMMANDS" }) =>
    rows(
      group,
      commands.map(({ description, name, shortDescription }) => ({ term: name, text: shortDescription ?? description }))
    )
  )

const topicRows = ({ subcommands = [] }: HelpDoc.HelpDoc): ReadonlyArray<Row> =>
  subcommands.length === 0 ? [] : topics.map(({ name, summary }) => ({ term: name, text: summary }))

const exampleSections = ({ examples = [] }: HelpDoc.HelpDoc): ReadonlyArray<Section> =>
  examples.length === 0 ? [] : [{ title: "EXAMPLES", body: { _tag: "Examples", examples } }]

/**
 * The help of a command.
 *
 * @internal
 */
export const pageOf = (doc: HelpDoc.HelpDoc): Page => {
  const { args = [], commandPath = [], description, flags, globalFlags = [] } = doc
  return {
    name: commandPath.join(" "),
    summary: description,
    usage: usageOf(doc),
    sections: [
      ...rows("ARGUMENTS", args.map(argumentRow)),
      ...rows("FLAGS", flags.map(flagRow)),
      ...groupSections(doc),
      ...rows("TOPICS: multifd help TOPIC", topicRows(doc)),
      ...rows("GLOBAL FLAGS", globalFlags.map(withShortLevel).map(flagRow)),
      ...exampleSections(doc)
    ]
  }
}
