import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as ReceivedBitmap from "../../../src/format/postcopy/ReceivedBitmap.ts"
import * as PageBitmap from "../../../src/ram/PageBitmap.ts"
import { between } from "../../support/arbitraries.ts"
import * as Bytes from "../../support/bytes.ts"

const blockOf = (pages: number) => ({ idstr: "m", usedLength: pages * 4096, pageSize: 4096 })

const codeOf = (bytes: Uint8Array, pages = 3) => {
  const result = ReceivedBitmap.decode(blockOf(pages), bytes)
  return Result.isFailure(result) ? result.failure.code : "no finding"
}

const bytes = Bytes.hex("0000000000000008 0500000000000000 0123456789abcdef")

describe("the bitmap of received pages", () => {
  it("is written", () => {
    const received = PageBitmap.make(3)
    received.setRange(0, 1)
    received.setRange(2, 1)
    assert.deepStrictEqual(ReceivedBitmap.encode(received), bytes)
    assert.strictEqual(ReceivedBitmap.lengthOf(blockOf(3)), bytes.length)
  })

  it("is read, as a copy", () => {
    const copy = bytes.slice()
    const received = Result.getOrThrow(ReceivedBitmap.decode(blockOf(3), copy))
    copy.fill(0)
    assert.deepStrictEqual(received.runs(0, 3), [0, 1, 2, 1])
  })

  it("is refused with another length, without its end mark, and cut", () => {
    assert.strictEqual(codeOf(bytes, 65), "stream-cut")
    assert.strictEqual(codeOf(Bytes.concat(bytes, bytes), 65), "received-bitmap-wrong")
    assert.strictEqual(codeOf(Bytes.hex("0000000000000008 0500000000000000 0123456789abcdee")), "received-bitmap-wrong")
    assert.strictEqual(codeOf(Bytes.hex("ffffffffffffffff 0500000000000000 0123456789abcdef")), "received-bitmap-wrong")
    for (let length = 0; length < bytes.length; length++)
      assert.strictEqual(codeOf(bytes.subarray(0, length)), "stream-cut")
  })

  it.effect.prop("comes back", { pages: between(1, 300), noise: Bytes.bytes(38) }, ({ noise, pages }) =>
    Effect.sync(() => {
      const received = PageBitmap.make(pages)
      for (let page = 0; page < pages; page++) {
        if ((((noise[page >> 3] ?? 0) >> (page & 7)) & 1) === 1) received.setRange(page, 1)
      }
      const read = Result.getOrThrow(ReceivedBitmap.decode(blockOf(pages), ReceivedBitmap.encode(received)))
      assert.deepStrictEqual(read.bytes, received.bytes)
    })
  )
})
