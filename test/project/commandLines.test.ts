/**
 * The command lines of the documentation name commands and flags that exist.
 */
import { assert, describe, it } from "@effect/vitest"
import { files, read } from "../support/project/markdown.ts"

/** Lines of `sh` blocks that run `multifd`, without comments. */
const commandLinesOf = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/^```sh\n([^]*?)\n```$/gm)]
    .flatMap((match) => match[1]!.split("\n"))
    .map((line) => line.replace(/ +#.*$/, ""))
    .flatMap((line) => /(?:^|&& )(?:npx )?multifd (.+)$/.exec(line)?.[1] ?? [])

const reference = read("docs/reference/command.md")

/** The part of the reference about a command, and the flags of all commands. */
const sectionOf = (command: string): string | undefined =>
  new RegExp(`^### \`multifd ${command}\`\\n([^]*?)(?=^##|(?![^]))`, "m").exec(reference)?.[1]
const common = /^## Flags of every command\n([^]*?)^## /m.exec(reference)?.[1] ?? ""

const problemsOf = (line: string): ReadonlyArray<string> => {
  const [command = ""] = line.split(" ")
  const flags = [...line.matchAll(/(?:^| )(-{1,2}[a-z][a-z-]*)/g)].map((match) => match[1]!)
  const section = command.startsWith("-") ? "" : sectionOf(command)
  if (section === undefined) return [`multifd ${line}: no such command`]
  return flags
    .filter((flag) => !new RegExp(`\`[^\`]*${flag.replace("--no-", "--")}\\b`).test(section + common))
    .map((flag) => `multifd ${line}: no flag ${flag}`)
}

describe("the command lines of the documentation", () => {
  it("name commands and flags that exist", () => {
    const lines = files().flatMap((file) => commandLinesOf(read(file)).map((line) => [file, line] as const))
    assert.isAbove(lines.length, 40)
    const problems = lines.flatMap(([file, line]) => problemsOf(line).map((problem) => `${file}: ${problem}`))
    assert.deepStrictEqual(problems, [])
  })

  it("are found wrong", () => {
    assert.deepStrictEqual(problemsOf("captures --qmp a b"), ["multifd captures --qmp a b: no such command"])
    assert.deepStrictEqual(problemsOf("verify --live a"), ["multifd verify --live a: no flag --live"])
    assert.deepStrictEqual(problemsOf("restore a --no-verify --block b=c -q"), [])
    assert.deepStrictEqual(commandLinesOf("```sh\nnpx multifd info a # b --c\n```\n"), ["info a"])
  })
})
