/**
 * docs/reference/errors.md lists every error class with its exit code and every finding, and no test is missing that raises them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Finding from "../../src/format/Finding.ts"
import * as Library from "../../src/index.ts"
import * as Io from "../../src/io/index.ts"
import * as Format from "../../src/format/index.ts"
import * as Qemu from "../../src/qemu/index.ts"
import * as Store from "../../src/store/index.ts"
import * as Transfer from "../../src/transfer/index.ts"
import { readSources } from "../support/project/imports.ts"
import { root } from "../support/project/run.ts"

const page = Fs.readFileSync(Path.join(root, "docs/reference/errors.md"), "utf8")

/** The rows of the tables whose first cell is a name in code. */
const rows = [...page.matchAll(/^\| `([\w.-]+)` +\|(.*)\|$/gm)].map(([, name, rest]) => ({
  name: name!,
  cells: rest!.split("|").map((cell) => cell.trim())
}))
const isClass = ({ name }: { readonly name: string }): boolean => name.includes(".")

const declaration = /^export class (\w+) extends TaggedError\b([^]*?)^\}$/gm
const exitCodes = /errorExitCode\] = (.*)$/m

/** Every error class that users can meet, as `Module.Class`, with all exit codes that its instances have. */
const classes = [...readSources(Path.join(root, "src"))]
  .filter(([file]) => !file.includes("internal/"))
  .flatMap(([file, source]) =>
    [...source.matchAll(declaration)].map(([, name, body]) => ({
      name: `${Path.basename(file, ".ts")}.${name}`,
      codes: (exitCodes.exec(body!)?.[1]?.match(/\d+/g) ?? []).toSorted((a, b) => Number(a) - Number(b)).join(" or ")
    }))
  )
  .filter(({ name }) => name !== "Finding.Finding")

const tests = [...readSources(Path.join(root, "test"))].filter(([file]) => !file.startsWith("project/"))

describe("docs/reference/errors.md", () => {
  it("every error class that is exported has its row and its exit code, and no other has", () => {
    const documented = rows.filter(isClass).map(({ cells, name }) => ({ name, codes: cells.at(-1) }))
    const byName = (a: { readonly name: string }, b: { readonly name: string }) => (a.name < b.name ? -1 : 1)
    assert.deepStrictEqual(documented.toSorted(byName), classes.toSorted(byName))
  })

  it("all of them can be imported, and know their exit code", () => {
    const modules: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
      ...Io,
      ...Format,
      ...Transfer,
      ...Qemu,
      ...Store,
      ...Library
    }
    for (const { codes, name } of classes) {
      const [module, error] = name.split(".")
      const exported = modules[module!]?.[error!]
      assert.isTrue(typeof exported === "function" && exported.prototype instanceof Error, name)
      assert.notStrictEqual(codes, "", name)
    }
  })

  it("every finding has its row, under its category", () => {
    const sections = page.split(/^### /m).slice(1)
    const documented = sections.flatMap((section) =>
      [...section.matchAll(/^\| `([\w-]+)` +\| (\w+) +\| (.*?) +\|$/gm)].map(([, code, severity, summary]) => [
        code,
        { category: section.slice(0, section.indexOf("\n")), severity, summary }
      ])
    )
    assert.deepStrictEqual(Object.fromEntries(documented), Finding.meanings)
    assert.lengthOf(documented, rows.filter((row) => !isClass(row)).length)
  })

  it("a test raises each of them, and asks for it by name", () => {
    const asked = tests.map(([, source]) => source).join("\n")
    const isAsked = (name: string) => [`"${name}"`, `.${name})`, `/^error ${name}:`].some((way) => asked.includes(way))
    const names = [...classes.map(({ name }) => name.split(".")[1]!), ...Object.keys(Finding.meanings)]
    assert.deepStrictEqual(
      names.filter((name) => !isAsked(name)),
      []
    )
  })
})
