import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Diff from "../../src/look/Diff.ts"
import * as PageRuns from "../../src/ram/PageRuns.ts"
import { machineOf } from "../support/images/sources.ts"
import { between } from "../support/arbitraries.ts"

const PAGE = 4096
const PAGES = 600

/** Every third page holds a number, the others are absent. */
const memory = (pages = PAGES): Uint8Array => {
  const bytes = new Uint8Array(pages * PAGE)
  for (let page = 0; page < pages; page += 3) bytes.fill(1 + (page % 250), page * PAGE, (page + 1) * PAGE)
  return bytes
}

describe("Diff", () => {
  it.effect.prop(
    "finds exactly the changed pages, present or absent before",
    {
      pages: Arbitrary.array(between(0, PAGES - 1), { maxLength: 12 }),
      at: between(0, PAGE - 1),
      channels: between(1, 4)
    },
    ({ at, channels, pages }) =>
      Effect.gen(function* () {
        const changed = memory()
        const unique = [...new Set(pages)].toSorted((a, b) => a - b)
        for (const page of unique) changed[page * PAGE + at]! ^= 0xff
        const a = machineOf({ "pc.ram": memory() })
        const b = machineOf({ "pc.ram": changed })
        for (const pair of [
          [a, b],
          [b, a]
        ] as const) {
          const diff = yield* Diff.run(...pair, { channels })
          const [block] = diff.blocks
          assert.deepStrictEqual(block!.changed.runs(0, PAGES), PageRuns.fromPages(unique))
          assert.strictEqual(diff.changedPages, unique.length)
          assert.strictEqual(Diff.isEqual(diff), unique.length === 0)
        }
      }),
    { arbitrary: { runs: 10 } }
  )

  it.effect("names blocks that only one has, and counts the rest of a longer one", () =>
    Effect.gen(function* () {
      const a = machineOf({ same: memory(), longer: memory(9), a: memory(1) })
      const b = machineOf({ b: memory(1), longer: memory(6), same: memory() })
      const diff = yield* Diff.run(a, b)
      assert.deepStrictEqual([diff.onlyA, diff.onlyB], [["a"], ["b"]])
      assert.deepStrictEqual(
        diff.blocks.map(({ changed, idstr }) => [idstr, changed.runs(0, changed.pages)]),
        [
          ["same", []],
          ["longer", [6, 3]]
        ]
      )
      assert.isFalse(Diff.isEqual(diff))
      assert.isTrue(Diff.isEqual(yield* Diff.run(a, a)))
    })
  )

  it.effect("compares two page sizes in pages of the larger one", () =>
    Effect.gen(function* () {
      const changed = memory(64)
      changed[5 * PAGE] = 77
      const diff = yield* Diff.run(
        machineOf({ "pc.ram": memory(64) }),
        machineOf({ "pc.ram": changed }, { pageSize: 65_536 })
      )
      assert.deepStrictEqual(diff.blocks[0]!.changed.runs(0, 4), [0, 1])
      assert.strictEqual(diff.blocks[0]!.pageSize, 65_536)
    })
  )

  it.effect("does not read what is absent in both", () =>
    Effect.gen(function* () {
      const [a, b] = [new Uint8Array(4096 * PAGE), new Uint8Array(4096 * PAGE)]
      a[2000 * PAGE] = 1
      b[3000 * PAGE] = 1
      const [first, second] = [machineOf({ a }), machineOf({ a: b })]
      const { changedPages } = yield* Diff.run(first, second)
      assert.strictEqual(changedPages, 2)
      const pieces = [2000, 3000].map((page) => [Math.floor(page / 256) * 256 * PAGE, 256 * PAGE] as const)
      assert.deepStrictEqual(first.reads, pieces)
      assert.deepStrictEqual(second.reads, pieces)
    })
  )
})
