import { assert, describe, it } from "@effect/vitest"
import { pairwise, product } from "../support/qemu/pairwise.ts"

const options = product<{ a: number; b: string; c: number; d: string }>({
  a: [1, 2, 3, 4],
  b: ["x", "y", "z"],
  c: [0, 1, 2],
  d: ["on", "off"]
})

type Option = (typeof options)[number]

/** Whether two values of different options meet in one of the combinations. */
const meet = (combinations: ReadonlyArray<Option>, one: Partial<Option>, other: Partial<Option>): boolean => {
  const both = Object.entries({ ...one, ...other })
  return combinations.some((combination) => both.every(([name, value]) => combination[name as keyof Option] === value))
}

/** Every two values of different options. */
const pairs = (["a", "b", "c", "d"] as const).flatMap((one, i, names) =>
  names.slice(i + 1).flatMap((other) => options.map((option) => [{ [one]: option[one] }, { [other]: option[other] }]))
)

describe("combinations of options", () => {
  it("all of them: each once", () => {
    assert.lengthOf(options, 4 * 3 * 3 * 2)
    assert.strictEqual(new Set(options.map((option) => JSON.stringify(option))).size, options.length)
  })

  it("in pairs: any two values meet, in few of them", () => {
    const chosen = pairwise(options)
    for (const [one, other] of pairs) assert.isTrue(meet(chosen, one!, other!), JSON.stringify([one, other]))
    // No fewer can do: two options have 4 and 3 values. The square of the most values is far from all of them.
    assert.isAtLeast(chosen.length, 4 * 3)
    assert.isAtMost(chosen.length, 4 * 4)
  })

  it("values that cannot meet do not", () => {
    const possible = options.filter(({ a, b }) => a !== 1 || b === "x")
    const chosen = pairwise(possible)
    assert.deepStrictEqual(
      chosen.filter(({ a, b }) => a === 1 && b !== "x"),
      []
    )
    for (const [one, other] of pairs) {
      assert.strictEqual(meet(chosen, one!, other!), meet(possible, one!, other!), JSON.stringify([one, other]))
    }
  })
})
