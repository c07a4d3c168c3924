import { assert, describe, it } from "@effect/vitest"
import * as Finding from "../../src/format/Finding.ts"
import * as ImageError from "../../src/image/ImageError.ts"

const finding = (code: Finding.FindingCode) => Finding.make({ code, offset: 0, expected: "one", found: "another" })

const tagOf = (...codes: ReadonlyArray<Finding.FindingCode>) =>
  ImageError.fromFindings("image", codes.map(finding))?._tag

describe("the error that findings amount to", () => {
  it("is the one of the first finding that is an error", () => {
    assert.strictEqual(tagOf("magic-wrong"), "NotMigrationImageError")
    assert.strictEqual(tagOf("mapped-ram-missing", "stream-cut"), "UnsupportedImageError")
    assert.strictEqual(tagOf("description-cut", "stream-cut", "magic-wrong"), "TruncatedImageError")
    assert.strictEqual(tagOf("total-mismatch"), "CorruptImageError")
  })

  it("has all that are errors", () => {
    const error = ImageError.fromFindings("image", [
      finding("description-cut"),
      finding("stream-cut"),
      finding("magic-wrong")
    ])
    assert.deepStrictEqual(
      error?.findings.map(({ code }) => code),
      ["stream-cut", "magic-wrong"]
    )
  })

  it("says the first one, and how many more there are", () => {
    const message = (...codes: ReadonlyArray<Finding.FindingCode>) =>
      ImageError.fromFindings("image", codes.map(finding))!.message
    assert.notInclude(message("magic-wrong"), "more)")
    assert.match(message("magic-wrong", "stream-cut"), /\(and 1 more\)$/)
    assert.match(message("magic-wrong", "stream-cut", "total-mismatch"), /\(and 2 more\)$/)
  })

  it("is none without errors, and for what only a peer can do wrong", () => {
    assert.isUndefined(tagOf())
    assert.isUndefined(tagOf("description-cut"))
    assert.isUndefined(tagOf("packet-magic-wrong"))
    assert.strictEqual(tagOf("packet-magic-wrong", "stream-cut"), "TruncatedImageError")
  })
})
