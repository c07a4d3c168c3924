/**
 * The form of the tests: where their helpers are, and how they are called.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { root } from "../support/project/run.ts"

const files = Fs.readdirSync(Path.join(root, "test"), { recursive: true, encoding: "utf8" })

/** A `describe` or a test as prettier sets it, with its indentation and its title. */
const TITLE = /^( *)(describe|it)\w*(?:\.\w+)*(?:\(\[?[^"'`\n]*\]?(?: as const)?\))?\(\s*(["'`])((?:(?!\3).)+)\3/gm

/** The titles of a file's tests, each behind those of the groups around it. */
const titlesOf = (source: string): ReadonlyArray<string> => {
  const groups: Array<readonly [indent: number, title: string]> = []
  const titles: Array<string> = []
  for (const [, { length: indent } = "", kind, , title = ""] of source.matchAll(TITLE)) {
    while ((groups.at(-1)?.[0] ?? -1) >= indent) groups.pop()
    if (kind === "describe") groups.push([indent, title])
    else titles.push([...groups.map(([, group]) => group), title].join(" > "))
  }
  return titles
}

const titles = new Map(
  files
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => [file, titlesOf(Fs.readFileSync(Path.join(root, "test", file), "utf8"))])
)
const every = [...titles].flatMap(([file, of]) => of.map((title) => `${file}: ${title}`))

describe("the tests", () => {
  it("share their helpers in test/support, in files whose names begin with a small letter", () => {
    const helpers = files.filter((file) => /(^|\/)support\/.*\.ts$/.test(file))
    assert.isAbove(helpers.length, 50)
    assert.deepStrictEqual(
      helpers.filter((file) => !/^support\/([a-z]+\/)?[a-z][a-zA-Z0-9]*(\.fixture|\.config)?\.ts$/.test(file)),
      []
    )
  })

  it("have titles that differ, with their file and their groups", () => {
    assert.isAbove(every.length, 1500)
    assert.deepStrictEqual(
      every.filter((title, index) => every.indexOf(title) < index),
      []
    )
  })

  it("have titles of two words at least", () => {
    assert.deepStrictEqual(
      every.filter((title) => / > \S+$|^\S+ \S+$/.test(title)),
      []
    )
  })
})
