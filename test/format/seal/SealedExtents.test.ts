import { assert, describe, it } from "@effect/vitest"
import { Buffer } from "node:buffer"
import { crc32 } from "node:zlib"
import { Extents } from "../../../src/format/seal/SealedExtents.ts"
import * as PageBitmap from "../../../src/ram/PageBitmap.ts"

/** Digests of pages, made up: one is like another here. */
const digests = Buffer.from(
  "00112233 44556677 8899aabb ccddeeff 01020304 05060708 090a0b0c 0d0e0f10".replaceAll(" ", ""),
  "hex"
)

/** 20 pages, 8 to an extent, some of them present: 1, 2 and 7; none; 16 and 18. */
const make = (): Extents => {
  const bitmap = PageBitmap.make(20)
  for (const page of [1, 2, 7, 16, 18]) bitmap.setRange(page, 1)
  return new Extents({ algorithm: "crc32", idstr: "ram", pagesPerExtent: 8, bitmap })
}

/** As docs/formats/seal.md says, byte for byte. */
const expected = (index: number, bits: string, pages: ReadonlyArray<number>): Buffer => {
  const name = "03 72616d"
  const head = Buffer.from(`${name} 00000000 0000000${index} ${bits}`.replaceAll(" ", ""), "hex")
  const digest = Buffer.alloc(4)
  digest.writeUInt32BE(crc32(Buffer.concat([head, ...pages.map((page) => digests.subarray(4 * page, 4 * page + 4))])))
  return digest
}

describe("the extents of a seal", () => {
  it("are as many as it takes, the last one shorter", () => {
    const extents = make()
    assert.strictEqual(extents.count, 3)
    assert.deepStrictEqual(
      [0, 1, 2].map((index) => extents.range(index)),
      [
        { first: 0, pages: 8 },
        { first: 8, pages: 8 },
        { first: 16, pages: 4 }
      ]
    )
  })

  it("have digests of the block, their place, which pages are present, and those", () => {
    const extents = make()
    const found = [0, 1, 2].map((index) => Buffer.from(extents.digest(index, digests)))
    assert.deepStrictEqual(found, [expected(0, "86", [1, 2, 7]), Buffer.alloc(4), expected(2, "05", [0, 2])])
  })
})
