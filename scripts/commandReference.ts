/**
 * `docs/reference/command.md`, the reference of the command.
 */
import type { Body, Page, Section } from "../src/cli/internal/helpSection.ts"
import { topics } from "../src/cli/internal/topics.ts"
import { globalFlags, ownSections, type Pages } from "./helpPages.ts"

const code = (text: string): string => `\`${text.replaceAll("|", "\\|")}\``

/** Text of the help in Markdown: what only looks like markup is none. */
const prose = (text: string): string =>
  text.replaceAll(/\[(MULTIFD_\w+)\]/g, "(`$1`)").replaceAll(/[|<>[\]*]/g, (character) => `\\${character}`)

const block = (language: string, lines: ReadonlyArray<string>): ReadonlyArray<string> => [
  `\`\`\`${language}`,
  ...lines,
  "```"
]

const paragraphs = (text: string): ReadonlyArray<string> =>
  text.split("\n\n").flatMap((paragraph) => {
    const lines = paragraph.split("\n")
    if (!paragraph.startsWith(" ")) return [prose(paragraph), ""]
    return [
      ...block(
        "text",
        lines.map((line) => line.trimStart())
      ),
      ""
    ]
  })

const headings: Readonly<Record<string, string>> = { ARGUMENTS: "argument", FLAGS: "flag", "GLOBAL FLAGS": "flag" }

const bodyLines = (title: string, body: Body): ReadonlyArray<string> => {
  switch (body._tag) {
    case "Text":
      return paragraphs(body.text)
    case "Rows":
      return [
        `| ${headings[title] ?? title.toLowerCase()} | meaning |`,
        "| --- | --- |",
        ...body.rows.map(({ term, text }) => `| ${code(term)} | ${prose(text)} |`),
        ""
      ]
    case "Examples":
      return [
        ...block(
          "sh",
          body.examples.flatMap(({ command, description = "" }, index) => [
            ...(index === 0 ? [] : [""]),
            `# ${description}`,
            command
          ])
        ),
        ""
      ]
  }
}

const section = ({ body, title }: Section): ReadonlyArray<string> => bodyLines(title, body)

const command = (page: Page): ReadonlyArray<string> => [
  `### ${code(page.name)}`,
  "",
  `${prose(page.summary)}.`,
  "",
  ...block("text", [page.usage]),
  "",
  ...ownSections(page).flatMap(section)
]

const topicLines = topics
  .filter(({ name }) => name !== "json")
  .flatMap(({ sections, summary }) => [`## ${summary}`, "", ...sections.flatMap(section)])

export const commandReference = ({ groups, root }: Pages): string =>
  [
    "# Command reference",
    "",
    "This page has every command with its arguments, flags and examples. `multifd help COMMAND` and the manual pages say the",
    "same. [Output for scripts](output.md) describes `--json`.",
    "",
    "<!-- Made of the definitions of the commands by `npm run generate`. -->",
    "",
    "## Flags of every command",
    "",
    ...globalFlags(root).flatMap(section),
    ...groups.flatMap(([group, pages]) => [`## ${group}`, "", ...pages.flatMap(command)]),
    ...topicLines
  ].join("\n")
