import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as ExactJson from "../../../src/qemu/internal/exactJson.ts"

const parse = (text: string): unknown => Result.getOrThrow(ExactJson.parse(text))

describe("exactJson", () => {
  it("integers that a double cannot hold become a bigint, and go back", () => {
    const text = '{"a":18446744073709551615,"b":-9223372036854775808,"c":[9007199254740993],"d":9007199254740991}'
    assert.deepStrictEqual(parse(text), {
      a: 18446744073709551615n,
      b: -9223372036854775808n,
      c: [9007199254740993n],
      d: 9007199254740991
    })
    assert.strictEqual(ExactJson.stringify(parse(text)), text)
  })

  it("fractions, large floats and digits in strings stay what they are", () => {
    const text = '{"a":1.5,"b":1e300,"c":"18446744073709551615","d":0.12345678901234567}'
    assert.deepStrictEqual(parse(text), JSON.parse(text))
  })

  it("integers of more than 64 bits are doubles, however many digits they have", () => {
    const digits = "9".repeat(1_000_000)
    assert.deepStrictEqual(parse(`[${digits},-${digits},123456789012345678901]`), [
      Infinity,
      -Infinity,
      123456789012345680000
    ])
  })

  it("leaves out what is undefined", () => {
    assert.strictEqual(ExactJson.stringify({ a: undefined, b: 1 }), '{"b":1}')
  })

  it.prop(
    "says of any text what it is, or that it is no JSON",
    { text: Arbitrary.schema(Schema.String) },
    ({ text }) => {
      const parsed = ExactJson.parse(text)
      if (Result.isFailure(parsed)) return assert.throws(() => JSON.parse(text))
      // Not the value itself: -0 is written as 0.
      const written = ExactJson.stringify(parsed.success)
      assert.strictEqual(ExactJson.stringify(parse(written)), written)
    }
  )
})
