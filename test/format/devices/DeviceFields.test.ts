import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as DeviceFields from "../../../src/format/devices/DeviceFields.ts"

const field = (size: number, more: Partial<DeviceFields.Field> = {}): DeviceFields.Field => ({
  name: "f",
  type: "buffer",
  size,
  ...more
})

describe("sizeOf", () => {
  it("is 0 of a struct without fields", () => assert.strictEqual(DeviceFields.sizeOf({ fields: [] }), 0))

  it("adds up fields, all elements of arrays counted", () => {
    const fields = [field(4), field(2, { array_len: 3 }), field(8, { array_len: 0 }), field(1, { index: 0 })]
    assert.strictEqual(DeviceFields.sizeOf({ fields }), 4 + 6 + 0 + 1)
  })

  it("does not count what is inside a field again", () => {
    const struct = { fields: [field(4), field(4)] }
    assert.strictEqual(DeviceFields.sizeOf({ fields: [field(8, { type: "struct", struct })] }), 8)
  })

  it("counts what stands in front of a subsection, its name in UTF-8", () => {
    const inner = { vmsd_name: "é", fields: [field(3)] }
    const outer = { vmsd_name: "outer", fields: [field(5)], subsections: [inner] }
    assert.strictEqual(DeviceFields.subsectionHeaderSize(inner), 1 + 1 + 2 + 4)
    assert.strictEqual(DeviceFields.sizeOf({ fields: [], subsections: [outer] }), 11 + 5 + 8 + 3)
  })

  it("stays far enough below 2^53 to be added to a position", () => {
    const huge = [field(Number.MAX_SAFE_INTEGER, { array_len: Number.MAX_SAFE_INTEGER })]
    const subsections = [{ vmsd_name: "s", fields: huge }]
    assert.strictEqual(DeviceFields.sizeOf({ fields: huge, subsections }), 2 ** 50)
  })
})

describe("the schemas", () => {
  const decode = Schema.decodeUnknownResult(DeviceFields.Field)

  it("keep keys that they do not know", () => {
    const unknown = { name: "f", type: "buffer", size: 1, hint: { of: "something" }, struct: { fields: [], note: 1 } }
    assert.deepStrictEqual(Result.getOrThrow(decode(unknown)), unknown)
  })

  it("refuse sizes and lengths that are no counts", () => {
    for (const wrong of [{ size: -1 }, { size: 0.5 }, { array_len: -1 }, { array_len: 1e300 }, { index: "0" }]) {
      assert.isTrue(Result.isFailure(decode({ name: "f", type: "buffer", size: 1, ...wrong })), JSON.stringify(wrong))
    }
  })

  it("refuse a subsection without a name, since its size would be unknown", () => {
    assert.isTrue(
      Result.isFailure(decode({ name: "f", type: "tmp", size: 1, fields: [], subsections: [{ fields: [] }] }))
    )
  })
})
