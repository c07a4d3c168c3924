import { assert, describe, it } from "@effect/vitest"
import * as RamRecords from "../../../src/format/stream/RamRecords.ts"
import { concat, hex } from "../../support/bytes.ts"
import { type Record, record } from "../../support/wire/records.ts"

const block = { idstr: "m", usedLength: 0x2000000, pageSize: 4096 }
const other = { ...block, idstr: "/rom@etc/acpi/tables" }
const page = new Uint8Array(4096).fill(1)
const twoPages = concat(page, new Uint8Array(4096).fill(2))

const zero = (fields: Partial<Record>) => record({ flags: ["ZERO"], data: [0], ...fields })
const goesOn = (page: number) => zero({ flags: ["ZERO", "CONTINUE"], page })

describe("the records of pages", () => {
  it("are those of QEMU for zero pages: the first names its block, the others go on with it", () => {
    const encoder = RamRecords.make()
    const first = encoder.zeros(block, [{ offset: 0, length: 8192 }])
    assert.deepStrictEqual(first, concat(zero({ block: "m" }), goesOn(1)))
    const second = encoder.zeros(block, [{ offset: 0x14d6000, length: 4096 }])
    assert.deepStrictEqual(second, goesOn(0x14d6))
    const third = encoder.zeros(other, [{ offset: 0x2000, length: 4096 }])
    assert.deepStrictEqual(third, zero({ block: other.idstr, page: 2 }))
  })

  it("have a page behind each, which is not copied", () => {
    const parts = RamRecords.make().pages(block, [
      { offset: 0x1000, bytes: twoPages },
      { offset: 0x9000, bytes: page }
    ])
    assert.strictEqual(parts.length, 6)
    assert.deepStrictEqual(parts[0], record({ flags: ["PAGE"], block: "m", page: 1 }))
    assert.deepStrictEqual(parts[2], record({ flags: ["PAGE", "CONTINUE"], page: 2 }))
    assert.deepStrictEqual(parts[4], record({ flags: ["PAGE", "CONTINUE"], page: 9 }))
    assert.strictEqual(parts[1]!.buffer, twoPages.buffer)
    assert.deepStrictEqual(concat(parts[1]!, parts[3]!), twoPages)
    assert.strictEqual(parts[5]!.buffer, page.buffer)
  })

  it("have what changed behind each", () => {
    const parts = RamRecords.make().changes(block, [
      { offset: 0, bytes: hex("00 01 08") },
      { offset: 0x1000, bytes: new Uint8Array(300) }
    ])
    assert.deepStrictEqual(parts[0], record({ flags: ["XBZRLE"], block: "m", data: [1, 0, 3] }))
    assert.deepStrictEqual(parts[1], hex("00 01 08"))
    assert.deepStrictEqual(parts[2], record({ flags: ["XBZRLE", "CONTINUE"], page: 1, data: [1, 0x01, 0x2c] }))
    assert.strictEqual(parts[3]!.length, 300)
  })

  it("may be none, and the block is named then by the first one", () => {
    const encoder = RamRecords.make()
    assert.deepStrictEqual(encoder.zeros(block, []), new Uint8Array(0))
    assert.deepStrictEqual(encoder.pages(block, []), [])
    assert.deepStrictEqual(encoder.zeros(block, [{ offset: 0, length: 4096 }]), zero({ block: "m" }))
  })

  it("reach beyond 4 GiB", () => {
    const records = RamRecords.make().zeros(block, [{ offset: 2 ** 40 + 4096, length: 4096 }])
    assert.deepStrictEqual(records.subarray(0, 8), record({ flags: ["ZERO"], address: 2 ** 40 + 4096 }))
  })
})
