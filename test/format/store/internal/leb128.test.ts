import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import { Leb128Writer, readLeb128, unZigZag, zigZag } from "../../../../src/format/store/internal/leb128.ts"
import { between } from "../../../support/arbitraries.ts"
import { bytes } from "../../../support/bytes.ts"

const write = (values: Iterable<number>): Uint8Array => {
  const writer = new Leb128Writer()
  for (const value of values) writer.put(value)
  return writer.finish()
}

describe("LEB128", () => {
  const values = Arbitrary.array(between(0, Number.MAX_SAFE_INTEGER), { maxLength: 200 })

  it.prop("numbers come back as they were written", { values }, (given) => {
    assert.deepStrictEqual(readLeb128(write(given.values), given.values.length), Float64Array.from(given.values))
  })

  it.prop("any bytes are numbers that are written the same way, or none", { given: bytes(40) }, ({ given }) => {
    for (let count = 0; count <= given.length; count++) {
      const read = readLeb128(given, count)
      if (read !== undefined) assert.deepStrictEqual(Uint8Array.from(write(read)), given)
    }
  })

  it("the widths are those of the encoding", () => {
    assert.deepStrictEqual([...write([0, 127, 128, 300])], [0, 127, 128, 1, 172, 2])
  })

  it("too few, too many, too large and too long are none", () => {
    assert.isUndefined(readLeb128(write([1, 2]), 1))
    assert.isUndefined(readLeb128(write([1, 2]), 3))
    assert.isUndefined(readLeb128(Uint8Array.of(128, 0), 1))
    assert.isUndefined(readLeb128(Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 127), 1))
    assert.isUndefined(readLeb128(Uint8Array.of(128), 1))
  })

  it.prop("zig-zag keeps whole numbers of any sign", { value: between(-(2 ** 51), 2 ** 51) }, ({ value }) => {
    assert.strictEqual(unZigZag(zigZag(value)), value)
    assert.isAtLeast(zigZag(value), 0)
  })
})
