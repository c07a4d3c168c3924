import { assert, describe, it } from "@effect/vitest"
import * as DeviceTree from "../../../src/format/devices/DeviceTree.ts"

const field = (name: string, value: DeviceTree.Value): DeviceTree.FieldValue => ({
  name,
  type: "",
  offset: 0,
  length: 0,
  value
})

const struct = (
  fields: ReadonlyArray<DeviceTree.FieldValue>,
  subsections: ReadonlyArray<DeviceTree.StructValue> = [],
  name?: string
): DeviceTree.StructValue => ({ name, version: 1, fields, subsections })

const optional = struct([field("late", true)], [], "dev/optional")
const tree = struct(
  [
    field("zero", 0),
    field("pointers", [null, struct([field("x", 7n)])]),
    field("mac", new Uint8Array([1, 2, 3])),
    field("nothing", null),
    field("dev/both", 1)
  ],
  [optional, struct([], [], "dev/both")]
)

describe("get", () => {
  it("follows names and indices", () => {
    assert.strictEqual(DeviceTree.get(tree), tree)
    assert.strictEqual(DeviceTree.get(tree, "zero"), 0)
    assert.strictEqual(DeviceTree.get(tree, "pointers", 1, "x"), 7n)
    assert.strictEqual(DeviceTree.get(tree, "mac", 2), 3)
    assert.isNull(DeviceTree.get(tree, "pointers", 0))
    assert.isNull(DeviceTree.get(tree, "nothing"))
  })

  it("goes into subsections, fields of the same name first", () => {
    assert.strictEqual(DeviceTree.get(tree, "dev/optional"), optional)
    assert.strictEqual(DeviceTree.get(tree, "dev/optional", "late"), true)
    assert.strictEqual(DeviceTree.get(tree, "dev/both"), 1)
  })

  it("says where there is nothing", () => {
    for (const path of [
      ["none"],
      [0],
      ["zero", 0],
      ["pointers", 2],
      ["pointers", "x"],
      ["pointers", 0, "x"],
      ["mac", 3]
    ]) {
      assert.isUndefined(DeviceTree.get(tree, ...path), path.join("/"))
    }
  })
})
