import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as PostcopyRecords from "../../../src/format/postcopy/PostcopyRecords.ts"
import { between } from "../../support/arbitraries.ts"
import * as Bytes from "../../support/bytes.ts"
import * as Captures from "../../support/wire/capturedPostcopy.ts"

const { hex } = Bytes

const blocks = [
  { idstr: "m", usedLength: 0x8000, pageSize: 1024 },
  { idstr: "other", usedLength: 0x400, pageSize: 1024 }
]
const page = new Uint8Array(1024).fill(7)

const decode = (bytes: Uint8Array, options: { readonly last?: string; readonly urgent?: boolean } = {}) =>
  PostcopyRecords.decode(bytes, { blocks, last: options.last, urgent: options.urgent })

const codeOf = (...parameters: Parameters<typeof decode>) => {
  const result = decode(...parameters)
  return Result.isFailure(result) ? result.failure.code : "no finding"
}

describe("a record of a postcopy migration", () => {
  it("is read: PAGE, ZERO, EOS, with a name and without", () => {
    const named = Bytes.concat(hex("0000000000000408 01 6d"), page)
    assert.deepStrictEqual(
      decode(named),
      Result.succeed({ value: { _tag: "Page", idstr: "m", offset: 0x400, bytes: page }, end: named.length })
    )
    assert.deepStrictEqual(
      decode(hex("0000000000000822 00"), { last: "m" }),
      Result.succeed({ value: { _tag: "Zero", idstr: "m", offset: 0x800 }, end: 9 })
    )
    assert.deepStrictEqual(decode(hex("0000000000000010")), Result.succeed({ value: { _tag: "EndOfSection" }, end: 8 }))
  })

  it("is refused as a real destination refuses it", () => {
    assert.strictEqual(codeOf(hex("0000000000000004")), "record-unexpected")
    assert.strictEqual(codeOf(hex("0000000000000200")), "record-unexpected")
    assert.strictEqual(codeOf(hex("0000000000000010"), { urgent: true }), "record-unexpected")
    assert.strictEqual(codeOf(hex("0000000000000022 00")), "record-block-missing")
    assert.strictEqual(codeOf(hex("0000000000000002 01 6e 00")), "record-block-unknown")
    assert.strictEqual(codeOf(hex("0000000000008002 01 6d 00")), "record-offset-out-of-range")
    assert.strictEqual(codeOf(hex("0000000000000402 05 6f74686572 00")), "record-offset-out-of-range")
    assert.strictEqual(codeOf(hex("0000000000000002 01 6d 01")), "record-fill-wrong")
    assert.strictEqual(codeOf(hex("0000000000000008 01 6d 00")), "stream-cut")
  })

  const record = Arbitrary.all({ number: between(0, 31), isZero: between(0, 1), isOther: between(0, 3) })

  it.effect.prop(
    "comes back, one behind the other",
    { list: Arbitrary.array(record, { maxLength: 20 }), urgent: between(0, 1) },
    ({ list, urgent }) =>
      Effect.sync(() => {
        const records = list.map(({ isOther, isZero, number }): PostcopyRecords.PostcopyRecord => {
          const [idstr, offset] = isOther === 0 ? ["other", 0] : ["m", number * 1024]
          return isZero === 1 ? { _tag: "Zero", idstr, offset } : { _tag: "Page", idstr, offset, bytes: page }
        })
        const bytes = Captures.encodeRecords(blocks, records)
        assert.deepStrictEqual(Captures.recordsFrom(bytes, blocks, 0, undefined, urgent === 1).records, records)
      })
  )

  it.effect.prop("never throws", { bytes: Bytes.bytes(40), urgent: between(0, 1) }, ({ bytes, urgent }) =>
    Effect.sync(() => void decode(bytes, { last: "m", urgent: urgent === 1 }))
  )
})
