/**
 * One word, one meaning: the words that `docs/internals/glossary.md` lists as gone do not come back into the code.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { readSources } from "../support/project/imports.ts"
import { root } from "../support/project/run.ts"

/** Identifiers, and not English words in comments or messages, in which some of them are right. */
const gone = [
  "Carried",
  "Demand",
  "Exposure",
  "StreamTail",
  "Opening",
  "Closing",
  "settle",
  "noted",
  "drive",
  "tidyUp",
  "impatient",
  "liftable",
  "Lane",
  "makeLanes",
  "bothSides",
  "assemble",
  "dialogue",
  "salvage",
  "forgetful",
  "foresee",
  "obey",
  "unless",
  "listed",
  "look",
  "tail",
  "note",
  "goOn",
  "slowDown",
  "approve",
  "inTurn",
  "writeBehind",
  "withHelper"
]

/** The code of a source: no comments, no texts. */
const codeOf = (source: string): string =>
  source
    .replaceAll(/\/\*[^]*?\*\//g, "")
    .replaceAll(/(^|\s)\/\/.*$/gm, "")
    .replaceAll(/"(?:[^"\\\n]|\\.)*"/g, '""')
    .replaceAll(/`(?:[^`\\]|\\.)*`/g, "``")

const found = (source: string, words: ReadonlyArray<string>): ReadonlyArray<string> => {
  const code = codeOf(source)
  return words.filter((word) => new RegExp(`(?<![\\w$])#?${word}(?![\\w$])`).test(code))
}

describe("words", () => {
  it("that are gone are in no source", () => {
    const all = [...readSources(Path.join(root, "src"))].flatMap(([file, source]) =>
      found(source, gone).map((word) => `${file}: ${word}`)
    )
    assert.deepStrictEqual(all, [])
  })

  it("are found in code, and not in comments and texts", () => {
    assert.deepStrictEqual(found("const settle = 1\n", gone), ["settle"])
    assert.deepStrictEqual(found("this.#drive()\n", gone), ["drive"])
    assert.deepStrictEqual(found('/** a drive */\n// assemble\nconst a = "unless"\n', gone), [])
  })

  it("that are gone are listed in the glossary", () => {
    const glossary = Fs.readFileSync(Path.join(root, "docs/internals/glossary.md"), "utf8")
    const table = glossary.slice(glossary.indexOf("## Words that are gone"))
    const missing = gone.filter(
      (word) => !table.toLowerCase().includes(word.toLowerCase().replace(/^(?:make)?lanes?$/, "lane"))
    )
    assert.deepStrictEqual(missing, [])
  })
})
