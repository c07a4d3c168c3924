import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as PostcopyState from "../../src/postcopy/PostcopyState.ts"

const all = PostcopyState.PostcopyState.literals

describe("the state of a postcopy source", () => {
  it("goes only where it can: every other step is a typed error", () => {
    for (const from of all) {
      for (const to of all) {
        const step = PostcopyState.next(from, to, 0)
        if (PostcopyState.successors(from).includes(to)) assert.deepStrictEqual(step, Result.succeed(to))
        else {
          assert(Result.isFailure(step))
          assert.strictEqual(step.failure._tag, "PostcopyTransitionError")
          assert.include(step.failure.message, `found ${to}`)
        }
      }
    }
  })

  it("does not end while a present page was not sent", () => {
    const early = PostcopyState.next("serving", "ending", 3)
    assert(Result.isFailure(early))
    assert.include(early.failure.message, "found 3 that were not")
    assert.isTrue(Result.isSuccess(PostcopyState.next("serving", "ending", 0)))
  })

  it("tells a guest that may run from one that has not", () => {
    const running = all.filter(PostcopyState.mayRun)
    assert.deepStrictEqual(running, ["serving", "ending", "completed", "paused", "recovering"])
  })

  it("leaves a guest that may run paused, and never failed", () => {
    for (const from of ["serving", "ending", "recovering"] as const) {
      assert.include(PostcopyState.successors(from), "paused")
      assert.notInclude(PostcopyState.successors(from), "failed")
    }
  })
})
