import { assert, describe, it } from "@effect/vitest"
import { Filling } from "../../../src/compression/internal/filling.ts"
import { libraryCode } from "../../../src/compression/internal/problems.ts"

describe("libraryCode", () => {
  it("is what Node calls the error, of errors that have such a name", () => {
    assert.strictEqual(libraryCode(Object.assign(new Error("words"), { code: "Z_DATA_ERROR" })), "Z_DATA_ERROR")
    for (const cause of [undefined, null, "Z_DATA_ERROR", { code: "Z_DATA_ERROR" }, new Error("words")]) {
      assert.strictEqual(libraryCode(cause), "UNKNOWN")
    }
    assert.strictEqual(libraryCode(Object.assign(new Error("words"), { code: 5 })), "UNKNOWN")
  })
})

describe("Filling", () => {
  it("takes what fits, and says of what does not that nothing of it was taken", () => {
    const filling = new Filling(new Uint8Array(3))
    assert.isTrue(filling.append(Uint8Array.of(1, 2)))
    assert.isFalse(filling.overflown)
    assert.isFalse(filling.append(Uint8Array.of(3, 4)))
    assert.isTrue(filling.overflown)
    assert.deepStrictEqual([filling.length, ...filling.target], [2, 1, 2, 0])
    assert.isTrue(filling.append(Uint8Array.of(3)))
    assert.deepStrictEqual([filling.length, ...filling.target], [3, 1, 2, 3])
  })
})
