import { assert, describe, it } from "@effect/vitest"
import * as RamRecords from "../../../src/format/stream/RamRecords.ts"
import { concat, hex } from "../../support/bytes.ts"

const block = { idstr: "m", usedLength: 0x2000000, pageSize: 4096 }
const other = { ...block, idstr: "/rom@etc/acpi/tables" }
const page = new Uint8Array(4096).fill(1)
const twoPages = concat(page, new Uint8Array(4096).fill(2))

describe("the records of pages", () => {
  it("are those of QEMU for zero pages: the first names its block, the others go on with it", () => {
    const encoder = RamRecords.make()
    const first = encoder.zeros(block, [{ offset: 0, length: 8192 }])
    assert.deepStrictEqual(first, hex("0000000000000002 01 6d 00  0000000000001022 00"))
    const second = encoder.zeros(block, [{ offset: 0x14d6000, length: 4096 }])
    assert.deepStrictEqual(second, hex("00000000014d6022 00"))
    const third = encoder.zeros(other, [{ offset: 0x2000, length: 4096 }])
    assert.deepStrictEqual(third, hex("0000000000002002 14 2f726f6d406574632f616370692f7461626c6573 00"))
  })

  it("have a page behind each, which is not copied", () => {
    const parts = RamRecords.make().pages(block, [
      { offset: 0x1000, bytes: twoPages },
      { offset: 0x9000, bytes: page }
    ])
    assert.strictEqual(parts.length, 6)
    assert.deepStrictEqual(parts[0], hex("0000000000001008 01 6d"))
    assert.deepStrictEqual(parts[2], hex("0000000000002028"))
    assert.deepStrictEqual(parts[4], hex("0000000000009028"))
    assert.strictEqual(parts[1]!.buffer, twoPages.buffer)
    assert.deepStrictEqual(concat(parts[1]!, parts[3]!), twoPages)
    assert.strictEqual(parts[5]!.buffer, page.buffer)
  })

  it("have what changed behind each", () => {
    const parts = RamRecords.make().changes(block, [
      { offset: 0, bytes: hex("00 01 08") },
      { offset: 0x1000, bytes: new Uint8Array(300) }
    ])
    assert.deepStrictEqual(parts[0], hex("0000000000000040 01 6d 01 0003"))
    assert.deepStrictEqual(parts[1], hex("00 01 08"))
    assert.deepStrictEqual(parts[2], hex("0000000000001060 01 012c"))
    assert.strictEqual(parts[3]!.length, 300)
  })

  it("may be none, and the block is named then by the first one", () => {
    const encoder = RamRecords.make()
    assert.deepStrictEqual(encoder.zeros(block, []), new Uint8Array(0))
    assert.deepStrictEqual(encoder.pages(block, []), [])
    assert.deepStrictEqual(encoder.zeros(block, [{ offset: 0, length: 4096 }]), hex("0000000000000002 01 6d 00"))
  })

  it("reach beyond 4 GiB", () => {
    const records = RamRecords.make().zeros(block, [{ offset: 2 ** 40 + 4096, length: 4096 }])
    assert.deepStrictEqual(records.subarray(0, 8), hex("0000010000001002"))
  })
})
