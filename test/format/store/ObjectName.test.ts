import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as ObjectName from "../../../src/format/store/ObjectName.ts"
import * as StoreId from "../../../src/format/store/StoreId.ts"
import { between } from "../../support/arbitraries.ts"
import { bytes } from "../../support/bytes.ts"

const id = Arbitrary.map(Arbitrary.array(between(0, 255), { minLength: 16, maxLength: 16 }), (values) =>
  StoreId.fromBytes(new Uint8Array(values))
)
const parts = { a: id, b: id, number: between(0, 2 ** 32 - 1), kind: between(0, 2) }

describe("ObjectName", () => {
  it.prop("every name is read as it was written", parts, ({ a, b, kind, number }) => {
    const data = (["map", "pack", "order"] as const)[kind] ?? "map"
    const names: ReadonlyArray<ObjectName.ObjectName> = [
      { kind: "config", number: number + 1 > 2 ** 32 - 1 ? 1 : number + 1 },
      { kind: "key", id: a },
      { kind: "record", vm: a, snapshot: b, generation: number },
      { kind: data, snapshot: a, writer: b, number }
    ]
    for (const name of names) assert.deepStrictEqual(ObjectName.parse(ObjectName.format(name)), name)
  })

  it.prop("any text is a name that is written the same way, or none", { text: bytes(80) }, ({ text }) => {
    const name = ObjectName.parse(Buffer.from(text).toString("latin1"))
    if (name !== undefined) assert.strictEqual(ObjectName.format(name), Buffer.from(text).toString("latin1"))
  })

  it("a name that only looks like one is none", () => {
    const zero = "0".repeat(26)
    for (const text of [
      "config.1",
      "config.0",
      "config.01",
      "config.4294967296",
      `key/${zero}/`,
      `key/8${zero.slice(1)}`,
      `vm/${zero}/${zero}/00`,
      `vm/${zero}/${zero}/4294967296`,
      `pack/${zero}/${zero}`,
      `pack/${zero}/${zero}-1.tmp`,
      `../pack/${zero}/${zero}-1`
    ]) {
      assert.isUndefined(ObjectName.parse(text), text)
    }
  })
})
