import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as StoreId from "../../../src/format/store/StoreId.ts"
import { between } from "../../support/arbitraries.ts"

const bytes16 = Arbitrary.map(
  Arbitrary.array(between(0, 255), { minLength: 16, maxLength: 16 }),
  (values) => new Uint8Array(values)
)

describe("StoreId", () => {
  it.prop("an id comes back as the bytes it was made of", { bytes: bytes16 }, ({ bytes }) => {
    const id = StoreId.fromBytes(bytes)
    assert.match(id, StoreId.pattern)
    assert.deepStrictEqual(StoreId.toBytes(id), bytes)
  })

  it.prop("ids sort as their bytes do", { a: bytes16, b: bytes16 }, ({ a, b }) => {
    const order = Math.sign(Buffer.compare(a, b))
    const [left, right] = [StoreId.fromBytes(a), StoreId.fromBytes(b)]
    assert.strictEqual(left < right ? -1 : left > right ? 1 : 0, order)
  })

  it("the first and the last id are those of Crockford's base32", () => {
    assert.strictEqual(StoreId.fromBytes(new Uint8Array(16)), "0".repeat(26))
    assert.strictEqual(StoreId.fromBytes(new Uint8Array(16).fill(255)), `7${"z".repeat(25)}`)
  })

  it("the moment of an id is the one it was made at, whatever its own bytes", () => {
    const id = StoreId.make(1_796_000_000_123, new Uint8Array(10).fill(7))
    assert.strictEqual(StoreId.timeOf(id), 1_796_000_000_123)
    assert.strictEqual(id, StoreId.make(1_796_000_000_123, new Uint8Array(10).fill(7)))
    assert.notStrictEqual(StoreId.make(1_796_000_000_123), StoreId.make(1_796_000_000_123))
    assert.isNaN(StoreId.timeOf("no id"))
  })

  it("text that is no id has no bytes", () => {
    for (const text of ["", "0".repeat(25), "0".repeat(27), `8${"0".repeat(25)}`, "O".repeat(26), "l".repeat(26)]) {
      assert.isUndefined(StoreId.toBytes(text), text)
    }
  })
})
