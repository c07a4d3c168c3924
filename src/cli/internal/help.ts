import type * as HelpDoc from "effect/cli/HelpDoc"
import { pageOf } from "./helpPage.ts"
import type { Body, Row, Section } from "./helpSection.ts"
import * as Paint from "./paint.ts"

/** The description of a wider term starts on the next line. */
const MAX_TERM = 30

/** Least width of a description next to its term; a narrower one goes below. */
const LEAST_COLUMN = 30

const INDENT = 2
const GAP = 4

/** Wraps words into lines of at most `columns`. */
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

/**
 * Wraps each paragraph; a line that begins with blanks is unchanged.
 *
 * @internal
 */
export const wrapText = (text: string, columns: number, indent = INDENT): string =>
  text
    .split("\n")
    .flatMap((line) => (line.startsWith(" ") ? [line] : wrap(line, columns - indent)))
    .map((line) => (line === "" ? "" : " ".repeat(indent) + line))
    .join("\n")

const rowLines = (rows: ReadonlyArray<Row>, columns: number, paint: Paint.Paint): ReadonlyArray<string> => {
  const widest = Math.max(...rows.map(({ term }) => (term.length > MAX_TERM ? 0 : term.length)))
  const beside = INDENT + widest + GAP
  const column = columns - beside < LEAST_COLUMN ? INDENT + 2 * GAP : beside
  return rows.flatMap(({ term, text }) => {
    const [first = "", ...rest] = wrap(text, columns - column)
    const later = rest.map((line) => " ".repeat(column) + line)
    const name = " ".repeat(INDENT) + paint.term(term)
    if (INDENT + term.length + 1 >= column) return [name, " ".repeat(column) + first, ...later]
    return [name + " ".repeat(column - INDENT - term.length) + first, ...later]
  })
}

const exampleLines = (examples: ReadonlyArray<HelpDoc.ExampleDoc>, paint: Paint.Paint): ReadonlyArray<string> =>
  examples.flatMap(({ command, description }, index) => [
    ...(index === 0 ? [] : [""]),
    ...(description === undefined ? [] : [`  ${paint.faint(`# ${description}`)}`]),
    `  ${paint.term(command)}`
  ])

const bodyLines = (body: Body, columns: number, paint: Paint.Paint): ReadonlyArray<string> => {
  switch (body._tag) {
    case "Text":
      return [wrapText(body.text, columns)]
    case "Rows":
      return rowLines(body.rows, columns, paint)
    case "Examples":
      return exampleLines(body.examples, paint)
  }
}

/**
 * Options of the help text.
 *
 * @internal
 */
export interface Options {
  /** The width of the terminal; `undefined`: one line per flag, of any length. */
  readonly columns?: number | undefined
  readonly colors?: boolean | undefined
}

/** @internal */
export const sectionsText = (
  sections: ReadonlyArray<Section>,
  { colors = false, columns = Infinity }: Options = {}
): string => {
  const paint = Paint.make(colors)
  return sections
    .map(({ body, title }) => [paint.title(title), ...bodyLines(body, columns, paint)].join("\n"))
    .join("\n\n")
}

const text = (title: string, of: string): Section => ({ title, body: { _tag: "Text", text: of } })

/**
 * The help of a command, as text.
 *
 * @internal
 */
export const helpText = (doc: HelpDoc.HelpDoc, options: Options = {}): string => {
  const { sections, summary, usage } = pageOf(doc)
  return sectionsText([text("DESCRIPTION", summary), text("USAGE", usage), ...sections], options)
}
