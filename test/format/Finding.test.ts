import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Finding from "../../src/format/Finding.ts"

describe("Finding", () => {
  it("takes severity and category from its code", () => {
    const finding = Finding.make({ code: "description-cut", offset: 7, expected: "text", found: "half of it" })
    assert.strictEqual(finding.severity, "warning")
    assert.strictEqual(finding.category, "corrupt")
    assert.isFalse("block" in finding)
  })

  it("says what was expected, what was found and where", () => {
    const where = { code: "page-size-zero", offset: 113, expected: "4096", found: "0" } as const
    assert.strictEqual(Finding.make(where).message, "the page size is 0: expected 4096, found 0 (at byte 113)")
    assert.strictEqual(
      Finding.make({ ...where, block: "pc.ram" }).message,
      `block "pc.ram": the page size is 0: expected 4096, found 0 (at byte 113)`
    )
  })

  it("has a summary for every code, each its own", () => {
    const summaries = Object.values(Finding.meanings).map(({ summary }) => summary)
    assert.strictEqual(new Set(summaries).size, summaries.length)
    assert.isTrue(summaries.every((summary) => summary.length > 0))
  })

  it.effect("is the failure of an effect as well", () =>
    Effect.gen(function* () {
      const finding = Finding.make({ code: "magic-wrong", offset: 0, expected: `"QEVM"`, found: "nothing" })
      assert.strictEqual(yield* Effect.flip(finding), finding)
    })
  )

  it.effect.prop(
    "survives JSON",
    { code: Finding.FindingCode, offset: Schema.Natural, block: Schema.String },
    (given) =>
      Effect.gen(function* () {
        const finding = Finding.make({ ...given, expected: "a", found: "b" })
        const json = JSON.stringify(yield* Schema.encodeEffect(Finding.Finding)(finding))
        const back = yield* Schema.decodeUnknownEffect(Finding.Finding)(JSON.parse(json))
        assert.strictEqual(back.message, finding.message)
        assert.deepStrictEqual({ ...back }, { ...finding })
      })
  )
})
