import { assert, describe, it } from "@effect/vitest"
import * as Invariant from "../../src/ram/Invariant.ts"

describe("Invariant", () => {
  it("a true statement is passed over, and narrows the type", () => {
    const value = ["pc.ram"].find((name) => name !== "") as string | undefined
    Invariant.holds(value !== undefined, "a block has a name")
    assert.strictEqual(value.length, 6)
  })

  it("a false one is a defect that names itself as a bug", () => {
    const error = (() => {
      try {
        return Invariant.holds(false, "a block has a name")
      } catch (cause) {
        return cause
      }
    })()
    assert.instanceOf(error, Invariant.InvariantError)
    assert.strictEqual(
      String(error),
      "InvariantError: a bug in effect-multifd: it does not hold that a block has a name"
    )
  })

  it("a value that is there is returned, falsy ones too", () => {
    assert.strictEqual(Invariant.defined(0, "a count is known"), 0)
    assert.strictEqual(Invariant.defined("", "a name is known"), "")
    for (const missing of [undefined, null]) {
      assert.throws(() => Invariant.defined(missing, "a name is known"), /it does not hold that a name is known/)
    }
  })
})
