import { assert, describe, it } from "@effect/vitest"
import * as TransferCounters from "../../src/transfer/TransferCounters.ts"

describe("TransferCounters", () => {
  it("count pages, the memory that they are, and the bytes that it took, apart for records", () => {
    const counters = TransferCounters.make()
    const none = { normalPages: 0, zeroPages: 0, bytesHandled: 0, bytes: 0, recordBytes: 0 }
    assert.deepStrictEqual(counters, none)
    const block = { pageSize: 1024 }
    TransferCounters.add(counters, { block, normal: [0, 3, 8, 1], zero: [4, 2] }, 5000)
    assert.deepStrictEqual(counters, { ...none, normalPages: 4, zeroPages: 2, bytesHandled: 6144, bytes: 5000 })
    TransferCounters.addRecords(counters, { block, normal: [9, 1], zero: [] }, 1033)
    TransferCounters.addRecords(counters, { block, normal: [], zero: [10, 5] }, 45)
    const after = { normalPages: 5, zeroPages: 7, bytesHandled: 12_288, bytes: 6078, recordBytes: 1078 }
    assert.deepStrictEqual(counters, after)
  })
})
