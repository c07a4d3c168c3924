import { assert, describe, it } from "@effect/vitest"
import * as AlignedMemory from "../../../src/io/files/AlignedMemory.ts"

describe("AlignedMemory", () => {
  it("is zero, of the length asked for, and known to be aligned", () => {
    for (const length of [0, 1, 4096, 1 << 20]) {
      const bytes = AlignedMemory.make(length)
      assert.strictEqual(bytes.length, length)
      assert.isTrue(bytes.every((byte) => byte === 0))
      assert.isTrue(AlignedMemory.isAligned(bytes))
    }
  })

  for (const length of [undefined, Number.NaN, -4096, 1.5, "4096", 2 ** 60]) {
    it(`refuses a length that is none: ${length}`, () =>
      assert.throws(() => AlignedMemory.make(length as number), RangeError))
  }

  it("does not rely on what is no array", () => {
    for (const value of [undefined, null, new Proxy(AlignedMemory.make(4096), {})]) {
      assert.isFalse(AlignedMemory.isAligned(value as unknown as Uint8Array))
    }
  })

  it("knows what it can rely on", () => {
    const aligned = AlignedMemory.make(16_384)
    const shared = new SharedArrayBuffer(8192, { maxByteLength: 8192 })
    assert.isTrue(AlignedMemory.isAligned(aligned.subarray(4096)))
    assert.isTrue(AlignedMemory.isAligned(new Uint8Array(shared)))
    assert.isFalse(AlignedMemory.isAligned(aligned.subarray(512)))
    assert.isFalse(AlignedMemory.isAligned(new Uint8Array(8192)))
    assert.isFalse(AlignedMemory.isAligned(new Uint8Array(new SharedArrayBuffer(8192))))
  })
})
