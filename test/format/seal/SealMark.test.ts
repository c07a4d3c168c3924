import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Buffer } from "node:buffer"
import { crc32 } from "node:zlib"
import { freeBetween } from "../../../src/format/image/internal/parts.ts"
import type * as Checksum from "../../../src/format/seal/Checksum.ts"
import * as ImageSeal from "../../../src/format/seal/ImageSeal.ts"
import * as ImageStream from "../../../src/format/image/ImageStream.ts"
import * as SealMark from "../../../src/format/seal/SealMark.ts"
import { algorithms, codeOf, configuration, sealOf, shapes } from "../../support/images/seals.ts"

const markOf = (algorithm: Checksum.Algorithm, seal: Uint8Array, key?: Uint8Array): SealMark.SealMark => {
  const mark = { state: "sealed" as const, algorithm, seal: { position: 0x2346000, length: seal.length } }
  return { ...mark, digest: SealMark.digestOf(mark, seal, key) }
}

const Places = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 }))

describe("a mark", () => {
  const seal = ImageSeal.encode(sealOf("crc32", 1024 * 1024))

  for (const algorithm of algorithms) {
    it(`of ${algorithm} comes back as it was written`, () => {
      const mark = markOf(algorithm, seal)
      const bytes = SealMark.encode(mark)
      assert.strictEqual(bytes.length, SealMark.LENGTH)
      assert.deepStrictEqual(SealMark.decode(bytes, 192), Result.succeed(mark))
    })
  }

  it("is not seen where there is none, and a flipped bit in one never goes unnoticed", () => {
    assert.deepStrictEqual(SealMark.decode(new Uint8Array(64), 0), Result.succeed(undefined))
    const mark = markOf("crc32", seal)
    for (let bit = 0; bit < 64 * 8; bit++) {
      const bytes = SealMark.encode(mark)
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      const decoded = SealMark.decode(bytes, 0)
      // One in the magic makes it nothing: whoever reads the image looks for a seal without a mark then.
      if (bit < 64) assert.deepStrictEqual(decoded, Result.succeed(undefined))
      else assert.strictEqual(codeOf(decoded), "seal-corrupt", `bit ${bit}`)
    }
  })

  it("of a later version is told from a damaged one", () => {
    const mark = SealMark.encode({ ...markOf("crc32", seal), state: "unheard of" as "sealed" })
    assert.strictEqual(codeOf(SealMark.decode(mark, 0)), "seal-version-unsupported")
    const later = Buffer.from(SealMark.encode(markOf("crc32", seal)))
    later[8] = 2
    later.writeUInt32BE(0, 12)
    later.writeUInt32BE(crc32(later), 12)
    assert.strictEqual(codeOf(SealMark.decode(later, 0)), "seal-version-unsupported")
  })

  it("of a seal that is longer than any makes no sense", () => {
    const mark = { ...markOf("crc32", seal), seal: { position: 4096, length: ImageSeal.MAX_LENGTH + 1 } }
    assert.strictEqual(codeOf(SealMark.decode(SealMark.encode(mark), 0)), "seal-corrupt")
  })

  it("has a digest that depends on seal, mark and key", () => {
    const key = new Uint8Array(32).fill(1)
    const mark = { state: "sealed" as const, algorithm: "hmac-sha256" as const, seal: { position: 0, length: 1 } }
    const digests = [
      SealMark.digestOf(mark, seal, key),
      SealMark.digestOf(mark, seal),
      SealMark.digestOf(mark, seal.subarray(1), key),
      SealMark.digestOf({ ...mark, seal: { position: 1, length: 1 } }, seal, key),
      SealMark.digestOf(mark, seal, new Uint8Array(32).fill(2))
    ]
    assert.strictEqual(new Set(digests.map((digest) => Buffer.from(digest).toString("hex"))).size, digests.length)
  })
})

describe("the place of the mark", () => {
  const Pages = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2 ** 26 }))

  it.effect.prop("has room, whatever the length of its block", { pages: Pages }, ({ pages }) =>
    Effect.sync(() => {
      const block = { idstr: "ram", usedLength: pages * 4096, pageSize: 4096 }
      const { blocks } = ImageStream.head({ configuration, blocks: [block] })
      const mark = SealMark.position(blocks)!
      const { bitmapOffset, pagesOffset } = blocks[0]!.header
      assert.isAtLeast(mark, bitmapOffset + 8 * Math.ceil(pages / 64))
      assert.isAtMost(mark + SealMark.LENGTH, pagesOffset)
      assert.strictEqual(mark % SealMark.LENGTH, 0)
    })
  )

  it("has room also where QEMU's layout would have none", () => {
    const { header } = ImageStream.head({ configuration, blocks: [shapes[0]!] }).blocks[0]!
    // A bitmap that ends 9 bytes before a multiple of 1 MiB.
    const pages = (1024 * 1024 - header.bitmapOffset - 9) * 8
    const words = Math.floor(pages / 64) * 64
    const { blocks } = ImageStream.head({
      configuration,
      blocks: [{ idstr: "pc.ram", usedLength: words * 4096, pageSize: 4096 }]
    })
    assert.isDefined(SealMark.position(blocks))
    assert.strictEqual(blocks[0]!.header.pagesOffset, 2 * 1024 * 1024)
  })

  it("has no room where all blocks are shared memory that was left out", () => {
    const shared = { machine: "pc-i440fx-10.0", capabilities: ["x-ignore-shared", "mapped-ram"] }
    const { blocks } = ImageStream.head({ configuration: shared, blocks: [{ ...shapes[0]!, ignored: true }] })
    assert.isUndefined(SealMark.position(blocks))
  })

  it("has no room where bitmaps and pages follow each other closely, or something lies between", () => {
    const [block] = ImageStream.head({ configuration, blocks: [shapes[0]!] }).blocks
    const tight = { ...block!, header: { ...block!.header, bitmapOffset: 0x100000 - 1024 } }
    assert.isUndefined(SealMark.position([tight]))
    const mark = SealMark.position([block!])!
    const between = {
      ...tight,
      header: { ...tight.header, bitmapOffset: mark, pagesOffset: 0x4000000 },
      ignored: false
    }
    assert.notStrictEqual(SealMark.position([block!, between]), mark)
  })

  const Part = Schema.Struct({ position: Places, length: Places })

  it.prop("has room where no part lies, however the parts lie", [Schema.Array(Part), Part], ([parts, wanted]) => {
    const placed = parts.map(({ length, position }) => ({ position, end: position + length }))
    const end = wanted.position + wanted.length
    const expected = placed.every((part) => end <= part.position || wanted.position >= part.end)
    assert.strictEqual(freeBetween(placed)(wanted.position, end), expected)
  })

  it("does not take long to have none, whatever the number of blocks", () => {
    const [block] = ImageStream.head({ configuration, blocks: [shapes[0]!] }).blocks
    const header = { ...block!.header, bitmapOffset: 0x10000000 }
    const foreign = Array.from({ length: 65535 }, () => ({ ...block!, header, usedLength: 4096 }))
    // The last one lies where the mark of all others would.
    const last = { ...block!, entryPosition: 0x10000040, headerPosition: 0x10000060 }
    const blocks = [...foreign, last].map((block) => ({
      ...block,
      header: { ...block.header, pagesOffset: 0x20000000 }
    }))
    const before = process.cpuUsage()
    assert.isDefined(SealMark.position(blocks))
    assert.isBelow(process.cpuUsage(before).user, 10_000_000)
  })
})
