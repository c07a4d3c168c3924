/**
 * The README is one screen, and the prose of the documentation keeps to docs/internals/style.md.
 */
import { assert, describe, it } from "@effect/vitest"
import { files, linksOf, read } from "../support/project/markdown.ts"

/** Patterns that the style page drops, as they can be found without reading. */
const dropped: ReadonlyArray<RegExp> = [
  /\b(?:whoever|whosoever|somebody|nobody but)\b/i,
  /\b(?:so many|at the most|any more|all the same)\b/i,
  /\bin front of\b/i,
  /\bbehind (?:it|the|its|that|a)\b/i,
  /\b(?:is|are) to be\b/i,
  /\b(?:has|have) to be\b/i,
  /\bit costs\b/i,
  /\b(?:is|are) given up\b/i,
  /\bno \w+ that is not\b/i,
  /\bhow it is measured stands\b/i
]

/** Pages whose sentences quote what not to write. */
const quoting = ["docs/internals/style.md"]

/** Text outside of code, with the numbers of its lines. */
const proseOf = (text: string): ReadonlyArray<readonly [number, string]> =>
  text
    .replaceAll(/^ *```[^]*?^ *```$/gm, (block) => block.replaceAll(/[^\n]/g, ""))
    .split("\n")
    .map((line, index) => [index + 1, line.replaceAll(/`[^`]*`/g, "")] as const)

const problemsOf = (file: string, text: string): ReadonlyArray<string> =>
  proseOf(text).flatMap(([number, line]) =>
    dropped.flatMap((pattern) => {
      const found = pattern.exec(line)
      return found === null ? [] : [`${file}:${number}: ${found[0]}`]
    })
  )

describe("README.md", () => {
  const lines = read("README.md").trimEnd().split("\n")

  it("has at most 150 lines, of at most 120 characters", () => {
    assert.isAtMost(lines.length, 150)
    assert.deepStrictEqual(
      lines.filter((line) => [...line].length > 120),
      []
    )
  })

  it("has the figures of the benchmarks that it links to", () => {
    const verdicts = /\n## Verdicts\n([^]*?)\n## /.exec(read("docs/internals/benchmarks.md"))?.[1] ?? ""
    const figures = [...lines.join("\n").matchAll(/\[([^\]]+)\]\[verdicts\]/g)]
      .map((match) => match[1]!)
      .filter((text) => /^\d/.test(text))
    assert.isAbove(figures.length, 1)
    assert.deepStrictEqual(
      figures.filter((figure) => !new RegExp(`\\| +${figure} \\|`).test(verdicts)),
      []
    )
  })

  it("leads to every page of the guide, by itself or by the list of all pages", () => {
    const linked = [
      ...linksOf(read("README.md")),
      ...linksOf(read("docs/README.md")).map((link) => `docs/${link}`)
    ].map((link) => link.replace(/#.*/, ""))
    const pages = files().filter((file) => /^docs\/[^/]+\//.test(file))
    assert.deepStrictEqual(
      pages.filter((page) => !linked.includes(page)),
      []
    )
  })
})

describe("the prose of the documentation", () => {
  it("has none of the patterns that the style page drops", () => {
    const all = files()
      .filter((file) => !quoting.includes(file))
      .flatMap((file) => problemsOf(file, read(file)))
    assert.deepStrictEqual(all, [])
  })

  it("is searched outside of code", () => {
    assert.deepStrictEqual(
      problemsOf("a.md", "Whoever asks.\n`any more`\n```sh\n# somebody\n```\nno more any more\n"),
      ["a.md:1: Whoever", "a.md:6: any more"]
    )
  })

  it("of each page of the guide says first what its reader will have, and last what can go wrong", () => {
    const pages = files().filter((file) => file.startsWith("docs/guide/"))
    for (const page of pages) assert.match(read(page), /^# .+\n\n\*\*At the end\*\* /, page)
    const tasks = pages.filter((page) => !page.endsWith("troubleshooting.md"))
    for (const page of tasks) assert.match(read(page), /\n## What can go wrong\n(?!(?:[^]*\n)?## )/, page)
  })
})
