/**
 * Plain English in comments and messages: the habits that `docs/internals/style.md` drops do not come back. Each limit
 * is the number of places that are left; lower it when you remove one.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Path from "node:path"
import { readSources } from "../support/project/imports.ts"
import { root } from "../support/project/run.ts"

interface Habit {
  readonly instead: string
  readonly pattern: RegExp
  readonly limit: number
}

/** Patterns are applied to each comment, on one line and without its frame, and to each message. */
const habits: Readonly<Record<string, Habit>> = {
  "a definition by a question word": {
    instead: 'lead with a noun or a verb: "Bytes written so far", "Opens …", "`true` if …"',
    pattern: /^(?:What|Whether|How|Who|Whose|Whoever|Whatever|Where|Which)\b[^?]*$/g,
    limit: 0
  },
  "an unnamed person": {
    instead: "name the part: the caller, the sender, another process",
    pattern: /\b(?:whoever|somebody|someone|nobody|no one|anybody|everybody|the one who|those who)\b/gi,
    limit: 0
  },
  "a dated adverb": {
    instead: "n, at most, no longer, anyway, while it runs",
    pattern: /\b(?:so many|at the most|any more|all the same|meanwhile|in earnest|by and by)\b/gi,
    limit: 0
  },
  "an order of bytes as if seen from the side": {
    instead: "before, after, is, next to",
    pattern: /\b(?:behind|in front of|stands|beside)\b/gi,
    limit: 0
  },
  "a passive obligation": {
    instead: "must",
    pattern: /\b(?:(?:has|have) to|shall)\b/gi,
    limit: 0
  },
  "a phrasal verb of a person": {
    instead: "continues, records, yields, cancels, ends",
    pattern: /\b(?:goes on|go on|went on|goes by|gives? way|given up|calls? off|called off|took down|takes? down)\b/gi,
    limit: 0
  },
  "a price": {
    instead: "say what is lost or how long it takes",
    pattern: /\bcosts? (?:nothing|no|the|it|a|as|more|less|some)\b/gi,
    limit: 0
  },
  "a judgement without a fact": {
    instead: '"is invalid", and what was expected',
    pattern: /\b(?:makes? no sense|has to do with|nothing is wrong|what it is told|is told what)\b/gi,
    limit: 0
  }
}

/** The comments of a source, each on one line without its frame, examples left out. */
const commentsOf = (source: string): ReadonlyArray<string> =>
  [...source.matchAll(/\/\*\*?([^]*?)\*\/|(?:^|\n)((?:[^\S\n]*\/\/[^\n]*\n?)+)/g)].flatMap(
    ([, block = "", lines = ""]) =>
      `${block}${lines}`
        .replaceAll(/```[^]*?```/g, "\n\n")
        .split(/\n[\s*]*\n|\n[\s*]*(?=- |@|\*\*)/)
        .map((part) =>
          part
            .replaceAll(/\n?\s*(?:\*|\/\/)\s?/g, " ")
            .replaceAll(/`[^`]*`/g, "``")
            .replaceAll(/\s+/g, " ")
            .trim()
        )
        .filter((part) => part !== "")
  )

/** Texts of at least four words. */
const messagesOf = (source: string): ReadonlyArray<string> =>
  [
    ...source
      .replaceAll(/\/\*[^]*?\*\//g, "")
      .replaceAll(/^\s*\/\/.*$/gm, "")
      .matchAll(/"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g)
  ]
    .map(([text]) => text.slice(1, -1).replaceAll(/\$\{[^}]*\}/g, "…"))
    .filter((text) => /(?:[A-Za-z'-]+ ){3}/.test(text))

const places = (source: string, { pattern }: Habit): ReadonlyArray<string> =>
  [...commentsOf(source), ...messagesOf(source)].flatMap((text) =>
    [...text.matchAll(pattern)].map(({ 0: match, index }) =>
      text.slice(Math.max(0, index - 40), index + match.length + 40)
    )
  )

/** Lines of prose in comments that prettier does not wrap. */
const tooWide = (source: string): ReadonlyArray<string> =>
  source
    .replaceAll(/^ *\* *```[^]*?```$/gm, "")
    .split("\n")
    .filter((line) => line.length > 120 && /^ *(?:\/\*)?\*+ [^ |]/.test(line) && !/ {3}|[│─▶]/.test(line.trim()))

describe("style", () => {
  const sources = [...readSources(Path.join(root, "src"))]

  it.each(Object.entries(habits))("%s is no habit", (_, habit) => {
    const found = sources.flatMap(([file, source]) => places(source, habit).map((place) => `${file}: ${place}`))
    assert.isAtMost(found.length, habit.limit, `instead: ${habit.instead}\n${found.join("\n")}`)
  })

  it("has no comment that is wider than 120 columns, diagrams and examples aside", () => {
    const wide = sources.flatMap(([file, source]) => tooWide(source).map((line) => `${file}: ${line}`))
    assert.deepStrictEqual(wide, [])
    const long = "word ".repeat(30)
    assert.lengthOf(tooWide(`/** ${long}*/\n/**\n * ${long}\n */\n`), 2)
    assert.lengthOf(
      tooWide(`/**\n *   key   ${long}\n * \`\`\`ts\n * ${long}\n * \`\`\`\n */\nconst a = "${long}"\n`),
      0
    )
  })

  it("is looked for in comments and messages, and not in code and examples", () => {
    const count = (name: string, source: string) => places(source, habits[name]!).length
    assert.strictEqual(count("an unnamed person", "/** Told by\n * whoever asks. */\nconst nobody = 1\n"), 1)
    assert.strictEqual(count("an unnamed person", 'const a = "sent by somebody else today"\n'), 1)
    assert.strictEqual(count("an unnamed person", "/**\n * A\n *\n * ```ts\n * somebody\n * ```\n */\n"), 0)
    assert.strictEqual(count("a definition by a question word", "/** Whether it is. */\n// How it is\nlet a = 1\n"), 2)
    assert.strictEqual(count("a definition by a question word", "/** It says what it is. */\n"), 0)
    assert.strictEqual(count("an order of bytes as if seen from the side", "// the byte\n// behind it\nlet a = 1\n"), 1)
  })
})
