/**
 * Every relative link of the documentation leads to a file of the project, and to a heading of it if it names one.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { anchorsOf, files, linksOf, read } from "../support/project/markdown.ts"
import { root } from "../support/project/run.ts"

/** The problem of a link in a file, or nothing. */
const problemOf = (file: string, link: string): string | undefined => {
  if (/^[a-z]+:/.test(link)) return undefined
  const [path, anchor] = link.split("#") as [string, string?]
  const target = path === "" ? file : Path.posix.join(Path.posix.dirname(file), path)
  if (!Fs.existsSync(Path.join(root, target))) return `${file}: no file for ${link}`
  if (anchor === undefined || !target.endsWith(".md")) return undefined
  return anchorsOf(read(target)).includes(anchor) ? undefined : `${file}: no heading for ${link}`
}

describe("links", () => {
  it("lead to files and headings that exist", () => {
    const links = files().flatMap((file) => linksOf(read(file)).map((link) => [file, link] as const))
    assert.isAbove(links.length, 20)
    assert.deepStrictEqual(
      links.map(([file, link]) => problemOf(file, link)).filter((problem) => problem !== undefined),
      []
    )
  })

  it("are found in prose and not in code, and headings have GitHub's anchors", () => {
    assert.deepStrictEqual(linksOf('[a](b.md#c)\n`[x](y.md)`\n```md\n[z](z.md)\n```\n<img src="d.svg">'), [
      "b.md#c",
      "d.svg"
    ])
    assert.deepStrictEqual(anchorsOf("# A `--flag`, and B\n## Two\n```sh\n# no\n```\n## Two\n"), [
      "a---flag-and-b",
      "two",
      "two-1"
    ])
  })

  it("that lead nowhere are reported", () => {
    assert.strictEqual(problemOf("README.md", "docs/none.md"), "README.md: no file for docs/none.md")
    assert.strictEqual(problemOf("README.md", "#no-such"), "README.md: no heading for #no-such")
    assert.isUndefined(problemOf("README.md", "https://effect.website"))
  })
})
