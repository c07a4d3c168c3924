import * as CliOutput from "effect/cli/CliOutput"
import type * as HelpDoc from "effect/cli/HelpDoc"
import * as Option from "effect/Option"

const LEVELS = "Show what is logged from this level on: all, trace, debug, info (default), warn, error, fatal, none"

/** The levels stand in the description; as the name of the value they would be wider than a terminal. */
const withShortLevel = (flag: HelpDoc.FlagDoc): HelpDoc.FlagDoc =>
  flag.name === "log-level" ? { ...flag, type: "LEVEL", description: Option.some(LEVELS) } : flag

const isRequired = (flag: HelpDoc.FlagDoc): boolean => flag.required && flag.type !== "boolean"

/** A command line that names every flag that it cannot do without. */
const usageOf = ({ flags, usage }: HelpDoc.HelpDoc): string => {
  const required = flags.filter(isRequired).map(({ name, type }) => `--${name} ${type}`)
  return required.length === 0 ? usage : usage.replace(" [flags]", ` ${required.join(" ")} [flags]`)
}

/** A row's description stands in a column of its own, behind more than one blank. */
const columnOf = (line: string): number =>
  /^ *\S.*? {2,}(?=\S)/.exec(line)?.[0].length ?? line.length - line.trimStart().length

/** What is left for a description beside a name that is very long. */
const LEAST_COLUMN = 30

/** Words in lines that are no longer than `columns`. */
const wrap = (text: string, columns: number): ReadonlyArray<string> => {
  const [first = "", ...words] = text.split(" ")
  const lines = [first]
  for (const word of words) {
    const line = lines.at(-1) ?? ""
    if (line.length + 1 + word.length > columns) lines.push(word)
    else lines[lines.length - 1] = `${line} ${word}`
  }
  return lines
}

/** A line in as many as it takes, the later ones indented like the text of the first. Only what is in front of that has colors. */
const wrapLine = (line: string, colored: string, columns: number): string => {
  const column = columnOf(line)
  if (line.length <= columns || columns - column < LEAST_COLUMN) return colored
  const text = line.slice(column)
  const front = colored.endsWith(text) ? colored.slice(0, -text.length) : line.slice(0, column)
  return front + wrap(text, columns - column).join(`\n${" ".repeat(column)}`)
}

/**
 * How help is shown.
 *
 * @internal
 */
export interface Options {
  /** The width of the terminal that it is read in; `undefined`: a line for each flag, however long. */
  readonly columns?: number | undefined
  readonly colors?: boolean | undefined
}

/**
 * The help of a command.
 *
 * @internal
 */
export const helpText = (doc: HelpDoc.HelpDoc, { colors = false, columns = Infinity }: Options = {}): string => {
  const { globalFlags = [] } = doc
  const ours = { ...doc, usage: usageOf(doc), globalFlags: globalFlags.map(withShortLevel) }
  const linesOf = (colors: boolean) => CliOutput.defaultFormatter({ colors }).formatHelpDoc(ours).split("\n")
  const [plain, colored] = [linesOf(false), linesOf(colors)]
  const examples = plain.indexOf("EXAMPLES")
  const isToBeCopied = (index: number): boolean => examples >= 0 && index > examples
  return colored
    .map((line, index) => (isToBeCopied(index) ? line : wrapLine(plain[index] ?? line, line, columns)))
    .join("\n")
}
