/**
 * The names of each entry point of the package: what users see is a decision.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { root } from "../support/project/run.ts"

const { exports } = JSON.parse(Fs.readFileSync(Path.join(root, "package.json"), "utf8")) as {
  readonly exports: Readonly<Record<string, { readonly default?: string } | string>>
}

/** The entry points with the source of each. */
const sources = new Map(
  Object.entries(exports).flatMap(([entry, target]) =>
    typeof target === "string" || target.default === undefined
      ? []
      : [[entry, target.default.replace("./dist/", "src/").replace(/\.js$/, ".ts")] as const]
  )
)

/** The table of `docs/reference/api.md`: `| entry | name | stability |`. */
const documented = (): ReadonlyMap<string, ReadonlyArray<string>> => {
  const rows = Fs.readFileSync(Path.join(root, "docs/reference/api.md"), "utf8").matchAll(
    /^\| `(effect-multifd[^`]*)`\s+\| `(\w+)`\s+\| (stable|unstable)\s+\|/gm
  )
  return [...rows].reduce((all, [, entry, name]) => {
    const key = entry!.replace("effect-multifd", ".")
    return all.set(key, [...(all.get(key) ?? []), name!])
  }, new Map<string, Array<string>>())
}

describe("entry points", () => {
  it("are those of docs/reference/api.md", () => {
    assert.deepStrictEqual([...documented().keys()].toSorted(), [...sources.keys()].toSorted())
  })

  for (const [entry, source] of sources) {
    it(`${entry} has the names that docs/reference/api.md lists for it`, async () => {
      const module = (await import(Path.join(root, source))) as Readonly<Record<string, unknown>>
      const text = Fs.readFileSync(Path.join(root, source), "utf8")
      const types = [...text.matchAll(/^export type \* as (\w+)/gm)].map((match) => match[1]!)
      assert.deepStrictEqual([...documented().get(entry)!].toSorted(), [...Object.keys(module), ...types].toSorted())
    })
  }
})
