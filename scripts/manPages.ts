/**
 * The manual pages: `multifd(1)`, and one for each command. The macros are those of man(7).
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { Body, Page, Section } from "../src/cli/internal/helpSection.ts"
import { exitCodes } from "../src/cli/internal/exitCodes.ts"
import { topics } from "../src/cli/internal/topics.ts"
import { globalFlags, ownSections, type Pages } from "./helpPages.ts"

const root = Path.resolve(import.meta.dirname, "..")
const read = (name: string): string => Fs.readFileSync(Path.join(root, name), "utf8")

const { version } = JSON.parse(read("package.json"))
const date =
  new RegExp(`^## \\[${version.replaceAll(".", "\\.")}\\] - (\\S+)`, "m").exec(read("CHANGELOG.md"))?.[1] ?? ""

/**
 * Text that is no request: backslashes, hyphens that can be copied, and a first character that would begin a request.
 */
const escaped = (text: string): string =>
  text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("…", "...")
    .replace(/^([.'])/, "\\&$1")

const bold = (text: string): string => `\\fB${escaped(text)}\\fR`

/** Lines that begin with blanks are examples; empty ones end a paragraph. */
const paragraphs = (text: string): ReadonlyArray<string> =>
  text.split("\n\n").flatMap((paragraph) => {
    if (!paragraph.startsWith(" ")) return [".PP", escaped(paragraph)]
    return [".PP", ".nf", ...paragraph.split("\n").map((line) => escaped(line)), ".fi"]
  })

const bodyLines = (body: Body): ReadonlyArray<string> => {
  switch (body._tag) {
    case "Text":
      return paragraphs(body.text)
    case "Rows":
      return body.rows.flatMap(({ term, text }) => [".TP", bold(term), escaped(text)])
    case "Examples":
      return body.examples.flatMap(({ command, description = "" }) => [
        ".PP",
        `${escaped(description)}:`,
        ".PP",
        ".in +4n",
        ".nf",
        bold(command),
        ".fi",
        ".in"
      ])
  }
}

const titles: Readonly<Record<string, string>> = { FLAGS: "OPTIONS", "GLOBAL FLAGS": "GLOBAL OPTIONS" }

/** A heading begins a paragraph already. */
const withoutFirst = ([first = "", ...rest]: ReadonlyArray<string>): ReadonlyArray<string> =>
  first === ".PP" ? rest : [first, ...rest]

const section = ({ body, title }: Section): ReadonlyArray<string> => [
  `.SH "${escaped((titles[title] ?? title).toUpperCase())}"`,
  ...withoutFirst(bodyLines(body))
]

const exitStatus: Section = {
  title: "EXIT STATUS",
  body: { _tag: "Rows", rows: exitCodes.map(([code, text]) => ({ term: String(code), text })) }
}

const nameOf = ({ name }: Page): string => name.replaceAll(" ", "-")

const seeAlso = (names: ReadonlyArray<string>): ReadonlyArray<string> => [
  `.SH "SEE ALSO"`,
  names.map((name) => `\\fB${escaped(name)}\\fR(1)`).join(",\n")
]

const manPage = (page: Page, sections: ReadonlyArray<Section>, others: ReadonlyArray<string>): string =>
  [
    `.\\" Made of the command's definitions by "npm run generate".`,
    `.TH ${nameOf(page).toUpperCase()} 1 "${date}" "multifd ${version}" "User Commands"`,
    `.SH NAME`,
    `${escaped(nameOf(page))} \\- ${escaped(page.summary)}`,
    `.SH SYNOPSIS`,
    bold(page.usage),
    ...sections.flatMap(section),
    ...seeAlso(others)
  ].join("\n") + "\n"

/** A list of topics is of no use in a page that has all of them. */
const isIndex = ({ title }: Section): boolean => title.startsWith("TOPICS")

const isExample = ({ body }: Section): boolean => body._tag === "Examples"

export const manPages = ({ groups, root }: Pages): ReadonlyMap<string, string> => {
  const commands = groups.flatMap(([, pages]) => pages)
  const topicSections = topics.filter(({ name }) => name !== "exit-codes").flatMap(({ sections }) => sections)
  const rootSections = [...root.sections.filter((one) => !isIndex(one)), ...topicSections, exitStatus]
  return new Map([
    [`man/${nameOf(root)}.1`, manPage(root, rootSections, commands.map(nameOf))],
    ...commands.map((page): [string, string] => {
      const own = ownSections(page)
      const described = own.filter((one) => !isExample(one))
      const sections = [...described, ...globalFlags(page), exitStatus, ...own.filter(isExample)]
      return [`man/${nameOf(page)}.1`, manPage(page, sections, [nameOf(root)])]
    })
  ])
}
