import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Checksum from "../../../src/format/seal/Checksum.ts"
import * as ImageSeal from "../../../src/format/seal/ImageSeal.ts"
import * as ImageStream from "../../../src/format/image/ImageStream.ts"
import * as PageBitmap from "../../../src/ram/PageBitmap.ts"
import * as PartialSeal from "../../../src/format/seal/PartialSeal.ts"
import * as RamBlock from "../../../src/ram/RamBlock.ts"
import * as SealMark from "../../../src/format/seal/SealMark.ts"

const configuration = { machine: "pc-i440fx-10.0", capabilities: ["mapped-ram"] }

const shapes: ReadonlyArray<RamBlock.Shape> = [
  { idstr: "pc.ram", usedLength: 0x2000000, pageSize: 4096 },
  { idstr: "größe", usedLength: 37 * 4096, pageSize: 4096 }
]

const algorithms = Object.keys(Checksum.algorithms) as ReadonlyArray<Checksum.Algorithm>

const notes = { uuid: "2b6f0cc9-04d1-4b5c-9e0c-0123456789ab" }

const partialOf = (algorithm: Checksum.Algorithm, extentSize: number): PartialSeal.PartialSeal => {
  const { blocks, end } = ImageStream.head({ configuration, blocks: shapes })
  const length = Checksum.digestLength(algorithm)
  const sealed = blocks.map(({ header, idstr, usedLength }) => {
    const shape = { idstr, usedLength, pageSize: header.pageSize }
    const digests = new Uint8Array(ImageSeal.extentCount(shape, extentSize) * length).fill(9)
    return { ...shape, bitmapOffset: header.bitmapOffset, pagesOffset: header.pagesOffset, digests }
  })
  const bitmaps = shapes.map((shape, index) => {
    const bitmap = PageBitmap.make(RamBlock.pageCount(shape))
    bitmap.setRange(index + 3, 17)
    return bitmap
  })
  return {
    seal: { algorithm, extentSize, start: 0, end, rest: new Uint8Array(length), blocks: sealed, notes },
    bitmaps
  }
}

describe("a partial seal", () => {
  for (const algorithm of algorithms) {
    it(`of ${algorithm} comes back as it was written, and is as long as was said before`, () => {
      for (const extentSize of [64 * 1024, 1024 * 1024]) {
        const partial = partialOf(algorithm, extentSize)
        const bytes = PartialSeal.encode(partial)
        assert.strictEqual(bytes.length, PartialSeal.byteLength(shapes, { algorithm, extentSize, notes }))
        const { bitmaps, seal } = Result.getOrThrow(PartialSeal.decode(bytes, 4096))
        assert.deepStrictEqual(seal, partial.seal)
        assert.deepStrictEqual(
          bitmaps.map(({ bytes, pages }) => [bytes, pages]),
          partial.bitmaps.map(({ bytes, pages }) => [bytes, pages])
        )
      }
    })
  }

  it("that is cut, longer, or about pages of no size is refused", () => {
    const bytes = PartialSeal.encode(partialOf("crc32", 1024 * 1024))
    const refused = (bytes: Uint8Array): string => {
      const decoded = PartialSeal.decode(bytes, 4096)
      assert(Result.isFailure(decoded))
      return `${decoded.failure.code}: ${decoded.failure.expected}`
    }
    assert.match(refused(bytes.subarray(0, -1)), /^seal-corrupt: the bitmap of a block/)
    assert.match(refused(bytes.subarray(0, 100)), /^seal-corrupt/)
    assert.match(refused(Buffer.concat([bytes, Buffer.alloc(1)])), /^seal-corrupt: the end of the bitmaps/)
    const sizeAt = ImageSeal.HEAD_LENGTH + 1 + "pc.ram".length + 8
    const sizes = [
      [0, /^seal-corrupt: a page size that divides extents of 1048576 bytes/],
      [1, /^seal-corrupt: the bitmap of a block/]
    ] as const
    for (const [size, expected] of sizes) {
      const wrong = bytes.slice()
      new DataView(wrong.buffer).setUint32(sizeAt, size)
      assert.match(refused(wrong), expected)
    }
  })

  it("has two places of its own between the mark and the pages, whatever the length of RAM", () => {
    for (let pages = 1; pages < 40_000_000; pages = Math.ceil(pages * 1.07)) {
      const blocks = [{ idstr: "pc.ram", usedLength: pages * 4096, pageSize: 4096 }]
      const length = PartialSeal.byteLength(blocks, { algorithm: "crc32", extentSize: 1024 * 1024, notes })
      const head = ImageStream.head({ configuration, blocks, room: PartialSeal.room(length) })
      const [first, second] = PartialSeal.places(head.blocks, length)!
      assert.isAtLeast(first, SealMark.position(head.blocks)! + SealMark.LENGTH)
      assert.isAtLeast(second, first + length)
      assert.isAtMost(second + length, head.blocks[0]!.header.pagesOffset)
      assert.strictEqual(first % ImageSeal.ALIGNMENT, 0)
      assert.strictEqual(second % ImageSeal.ALIGNMENT, 0)
    }
    assert.isUndefined(PartialSeal.places([], 100))
  })
})
