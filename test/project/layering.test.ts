/**
 * The rooms of the design, kept apart: each folder of `src/` imports only from the ones above it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Path from "node:path"
import { circles, importsOf, readSources, violations } from "../support/project/imports.ts"

const root = Path.resolve(import.meta.dirname, "../..")
const one = (file: string, ...specifiers: ReadonlyArray<string>): ReadonlyArray<string> =>
  violations(new Map([[file, specifiers.map((specifier) => `import * as X from "${specifier}"`).join("\n")]]))

describe("layering", () => {
  it("the sources keep the rules", () => {
    const sources = readSources(Path.join(root, "src"))
    assert.isAbove(sources.size, 8)
    assert.deepStrictEqual(violations(sources), [])
  })

  it("the sources have no circle of imports, types included", () => {
    assert.deepStrictEqual(circles(readSources(Path.join(root, "src"))), [])
  })

  it("finds the files of every circle and no others", () => {
    const sources = (graph: Readonly<Record<string, ReadonlyArray<string>>>) =>
      new Map(
        Object.entries(graph).map(([file, targets]) => [
          `${file}.ts`,
          targets.map((target) => `import type { X } from "./${target}.ts"`).join("\n")
        ])
      )
    assert.deepStrictEqual(circles(sources({ a: ["b", "c"], b: ["c"], c: [] })), [])
    assert.deepStrictEqual(circles(sources({ a: ["b"], b: ["c"], c: ["b", "d"], d: [] })), [["b.ts", "c.ts"]])
    assert.deepStrictEqual(circles(sources({ a: ["b"], b: ["a", "c"], c: ["d"], d: ["c", "a"], e: ["a"] })), [
      ["a.ts", "b.ts", "c.ts", "d.ts"]
    ])
  })

  it("sees every form of import, and none in a comment", () => {
    const source = `
/**
 * import { A } from "./comment.ts"
 */
import * as A from "./a.ts"
import type { B } from "./b.ts"
import {
  type C1,
  C2
} from "./c.ts"
import "./d.ts"
export * as E from "./e.ts"
export * from "./f.ts"
// import "./comment.ts"
export const g = (): Promise<import("./g.ts").G> => import("./h.ts")
export const text = "no import at all"
`
    assert.deepStrictEqual(
      importsOf(source),
      ["a", "b", "c", "d", "e", "f", "g", "h"].map((name) => `./${name}.ts`)
    )
  })

  it("a room knows those above it only", () => {
    assert.deepStrictEqual(one("io/A.ts", "./B.ts", "../ram/A.ts", "./internal/c.ts"), [])
    assert.deepStrictEqual(one("testing/A.ts", "../cli/A.ts", "../ram/A.ts"), [])
    assert.deepStrictEqual(one("index.ts", "./testing/A.ts", "./ram/A.ts"), [])
    assert.deepStrictEqual(one("transfer/index.ts", "../snapshot/A.ts", "../image/A.ts"), [])
    assert.lengthOf(one("transfer/index.ts", "../cli/A.ts"), 1)
    assert.lengthOf(one("image/A.ts", "../multifd/A.ts"), 1)
    assert.lengthOf(one("multifd/A.ts", "../image/A.ts"), 1)
    assert.lengthOf(one("ram/A.ts", "../io/A.ts"), 1)
    assert.lengthOf(one("cli/A.ts", "../testing/A.ts"), 1)
    assert.lengthOf(one("cli/A.ts", "../index.ts"), 1)
    assert.lengthOf(one("elsewhere/A.ts", "./B.ts"), 1)
  })

  it("what is internal stays in its room", () => {
    assert.deepStrictEqual(one("io/internal/a.ts", "./b.ts", "../C.ts", "../../ram/A.ts"), [])
    assert.lengthOf(one("io/A.ts", "../ram/internal/a.ts"), 1)
    assert.lengthOf(one("index.ts", "./ram/internal/a.ts"), 1)
  })

  it("only io/ and lanes/ reach outside the process, and format/ runs no fibers", () => {
    assert.deepStrictEqual(one("io/A.ts", "node:fs", "effect/Effect"), [])
    assert.deepStrictEqual(
      one("multifd/A.ts", "node:zlib", "effect/Effect", "@effect/platform-node-shared/NodeStdio"),
      []
    )
    assert.lengthOf(one("multifd/A.ts", "node:fs", "effect", "left-pad", "fs"), 4)
    assert.lengthOf(one("format/A.ts", "effect/Effect", "effect/Schema", "effect/Result"), 1)
  })

  it("relative imports name the file", () => {
    assert.lengthOf(one("io/A.ts", "./B", "./B.js", "../../test/x.ts"), 3)
  })
})
