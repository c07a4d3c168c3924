import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import * as MappedRam from "../../../src/format/image/MappedRam.ts"
import { between } from "../../support/arbitraries.ts"
import * as Bytes from "../../support/bytes.ts"

/** The header of a block of 32 MiB, as QEMU 10.0 wrote it at byte 109 of a file. */
const captured = Bytes.hex("00000001 0000000000001000 0000000000000089 0000000000100000")
const header: MappedRam.Header = { version: 1, pageSize: 4096, bitmapOffset: 0x89, pagesOffset: 0x100000 }

const word = between(0, 2 ** 32 - 1)
const offset = Arbitrary.map(Arbitrary.all([between(0, 2 ** 21 - 1), word]), ([high, low]) => high * 2 ** 32 + low)
const headers = Arbitrary.all({ version: word, pageSize: offset, bitmapOffset: offset, pagesOffset: offset })

const codeOf = <A>(result: Result.Result<A, { readonly code: string }>) =>
  Result.isFailure(result) ? result.failure.code : undefined

const shape = (pages: number, pageSize = 4096) => ({ idstr: "m", usedLength: pages * pageSize, pageSize })

describe("a mapped-ram header", () => {
  it("is written as QEMU writes it", () => assert.deepStrictEqual(MappedRam.encodeHeader(header), captured))

  it("is read from any position", () => {
    const bytes = Bytes.concat(Bytes.text("before"), captured, Bytes.text("behind"))
    assert.deepStrictEqual(MappedRam.decodeHeader(bytes, 6), Result.succeed({ value: header, end: 34 }))
  })

  it.prop("comes back as it went", { header: headers }, ({ header }) =>
    assert.deepStrictEqual(
      MappedRam.decodeHeader(MappedRam.encodeHeader(header)),
      Result.succeed({ value: header, end: MappedRam.HEADER_BYTES })
    )
  )

  it.prop("is a finding where it is cut", { header: headers, length: between(0, 27) }, ({ header, length }) =>
    assert.strictEqual(codeOf(MappedRam.decodeHeader(MappedRam.encodeHeader(header).subarray(0, length))), "stream-cut")
  )

  it.prop("never throws", { bytes: Bytes.bytes(40), position: between(0, 50) }, ({ bytes, position }) =>
    assert.isTrue(Result.isResult(MappedRam.decodeHeader(bytes, position)))
  )

  it("holds numbers up to 2^53 - 1", () => {
    const largest = { ...header, pagesOffset: Number.MAX_SAFE_INTEGER }
    const bytes = MappedRam.encodeHeader(largest)
    assert.deepStrictEqual(MappedRam.decodeHeader(bytes), Result.succeed({ value: largest, end: 28 }))
  })

  it("holds no number that a file cannot have", () => {
    for (const at of [MappedRam.PAGE_SIZE_AT, MappedRam.BITMAP_OFFSET_AT, MappedRam.PAGES_OFFSET_AT]) {
      const bytes = captured.slice()
      bytes.set(Bytes.hex("0020 0000 0000 0000"), at)
      const result = MappedRam.decodeHeader(bytes)
      assert.strictEqual(codeOf(result), "number-too-large")
      assert.strictEqual(Result.isFailure(result) && result.failure.offset, at)
    }
  })
})

describe("the layout of a block", () => {
  it("rounds the bitmap up to whole words", () =>
    assert.deepStrictEqual(
      [0, 1, 64, 65, 8192].map((pages) => MappedRam.bitmapLength(shape(pages))),
      [0, 8, 8, 16, 1024]
    ))

  it("is QEMU's, wherever the stream begins", () => {
    assert.deepStrictEqual(MappedRam.layout(0x89, shape(8192)), header)
    assert.deepStrictEqual(MappedRam.layout(0x30c2, shape(8192)), { ...header, bitmapOffset: 0x30c2 })
    assert.deepStrictEqual(MappedRam.layout(0x2100039, shape(32)), {
      ...header,
      bitmapOffset: 0x2100039,
      pagesOffset: 0x2200000
    })
  })

  it.prop(
    "keeps header, bitmap and pages apart",
    { headerEnd: between(0, 2 ** 40), pages: between(0, 2 ** 28), bits: between(10, 16) },
    ({ bits, headerEnd, pages }) => {
      const block = shape(pages, 2 ** bits)
      const { bitmapOffset, pagesOffset } = MappedRam.layout(headerEnd, block)
      const bitmapEnd = bitmapOffset + MappedRam.bitmapLength(block)
      assert.strictEqual(bitmapOffset, headerEnd)
      assert.strictEqual(pagesOffset % MappedRam.REGION_ALIGNMENT, 0)
      assert.isTrue(pagesOffset >= bitmapEnd && pagesOffset - bitmapEnd < MappedRam.REGION_ALIGNMENT)
    }
  )
})
