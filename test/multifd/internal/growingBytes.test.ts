import { assert, describe, it } from "@effect/vitest"
import { GrowingBytes } from "../../../src/multifd/internal/growingBytes.ts"

describe("GrowingBytes", () => {
  it("are all that was appended, in order", () => {
    const bytes = new GrowingBytes()
    assert.strictEqual(bytes.length, 0)
    assert.deepStrictEqual(bytes.view, new Uint8Array(0))
    for (const piece of [[1], [], [2, 3, 4], [5]]) bytes.append(Uint8Array.from(piece))
    assert.strictEqual(bytes.length, 5)
    assert.deepStrictEqual(bytes.view, Uint8Array.of(1, 2, 3, 4, 5))
  })

  it("take memory by their sum, whatever their pieces", () => {
    const bytes = new GrowingBytes()
    for (let i = 0; i < 100_000; i++) bytes.append(Uint8Array.of(i))
    assert.isAtMost(bytes.view.buffer.byteLength, 200_000)
    assert.strictEqual(bytes.view[99_999], 99_999 & 0xff)
  })
})
