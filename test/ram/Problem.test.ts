import { assert, describe, it } from "@effect/vitest"
import * as Problem from "../../src/ram/Problem.ts"

describe("Problem", () => {
  it("a refusal says what is impossible, why, and what to do", () => {
    assert.strictEqual(
      Problem.refusal("save", [Problem.make("there is no RAM block", "name at least one")]),
      "cannot save: there is no RAM block; name at least one"
    )
  })

  it("a refusal lists all problems on one line", () => {
    assert.strictEqual(
      Problem.refusal("start", [Problem.make("a is 0", "use 1"), { option: "b", reason: "b is 2", remedy: "use 3" }]),
      "cannot start: a is 0; use 1. Also: b is 2; use 3"
    )
  })
})
