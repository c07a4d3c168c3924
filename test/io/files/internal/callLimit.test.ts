import { assert, describe, it } from "@effect/vitest"
import { CallLimit } from "../../../../src/io/files/internal/callLimit.ts"

describe("CallLimit", () => {
  it("lets so many begin, and the others in their order as places come free", () => {
    const limit = new CallLimit(2)
    const begun: Array<string> = []
    for (const name of ["a", "b", "c", "d"]) limit.enter(() => void begun.push(name))
    assert.deepStrictEqual(begun, ["a", "b"])
    limit.leave()
    assert.deepStrictEqual(begun, ["a", "b", "c"])
    limit.leave()
    assert.deepStrictEqual(begun, ["a", "b", "c", "d"])
  })

  it("has all places again when everybody has left", () => {
    const limit = new CallLimit(1)
    const begun: Array<number> = []
    for (let i = 0; i < 3; i++) {
      limit.enter(() => void begun.push(i))
      limit.leave()
    }
    assert.deepStrictEqual(begun, [0, 1, 2])
  })
})
