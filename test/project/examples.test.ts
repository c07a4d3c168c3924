/**
 * Every TypeScript example of the documentation compiles as it stands.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { readSources } from "../support/project/imports.ts"
import * as Markdown from "../support/project/markdown.ts"
import { root, typeCheck } from "../support/project/run.ts"
import * as Temporary from "../support/project/temporary.ts"

/** The fenced `ts` blocks of a text, in JSDoc comments or in Markdown, with the line that each begins at. */
const examplesOf = (text: string): ReadonlyArray<{ readonly line: number; readonly code: string }> =>
  [...text.matchAll(/^( \* |)```ts\n([^]*?)\n\1```$/gm)].map(({ 1: prefix, 2: code, index }) => ({
    line: text.slice(0, index).split("\n").length + 1,
    code: code!
      .split("\n")
      .map((line) => line.slice(prefix!.length))
      .join("\n")
  }))

const markdown = (): ReadonlyMap<string, string> => new Map(Markdown.files().map((name) => [name, Markdown.read(name)]))

/** The entry points of the package. */
const exported = (
  JSON.parse(Fs.readFileSync(Path.join(root, "package.json"), "utf8")) as {
    readonly exports: Readonly<Record<string, { readonly default?: string }>>
  }
).exports

const tsconfig = {
  extends: Path.join(root, "tsconfig.json"),
  include: ["**/*.ts"],
  compilerOptions: {
    noUnusedLocals: false,
    plugins: [],
    typeRoots: [Path.join(root, "node_modules/@types")],
    paths: Object.fromEntries(
      Object.keys(exported).flatMap((entry) => {
        if (!exported[entry]?.default) return []
        const file = exported[entry].default.replace("./dist/", "").replace(/\.js$/, ".ts")
        return [[Path.posix.join("effect-multifd", entry), [Path.join(root, "src", file)]]]
      })
    )
  }
}

describe("examples", () => {
  it("finds the examples of comments and of Markdown", () => {
    const comment = "/**\n * One.\n *\n * ```ts\n * const a = 1\n *\n * export { a }\n * ```\n */\n"
    // A blank line of an example is ` *` without a trailing space: its prefix goes all the same.
    assert.deepStrictEqual(examplesOf(comment), [{ line: 5, code: "const a = 1\n\nexport { a }" }])
    assert.deepStrictEqual(examplesOf("# A\n\n```ts\nconst b = 2\n```\n\n```sh\nls\n```\n"), [
      { line: 4, code: "const b = 2" }
    ])
  })

  it("every example compiles", { timeout: 120_000 }, async ({ onTestFinished }) => {
    const folder = await Temporary.make()
    onTestFinished(() => Temporary.remove(folder))
    const sources = [...readSources(Path.join(root, "src"))].map(([file, text]) => [`src/${file}`, text] as const)
    const files = [...sources, ...markdown()].flatMap(([file, text]) =>
      examplesOf(text).map(({ code, line }) => [`${file}/line-${line}.ts`, `${code}\nexport {}\n`] as const)
    )
    assert.isAbove(files.length, 0)
    await Temporary.writeFiles(folder, {
      ...Object.fromEntries(files),
      "package.json": { type: "module" },
      "tsconfig.json": tsconfig
    })
    await Fs.promises.symlink(Path.join(root, "node_modules"), Path.join(folder, "node_modules"))
    await typeCheck(folder)
  })
})
