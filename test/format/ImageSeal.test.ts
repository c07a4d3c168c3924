import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Buffer } from "node:buffer"
import { crc32 } from "node:zlib"
import { freeBetween } from "../../src/format/internal/parts.ts"
import { Checksum, ImageSeal, ImageStream } from "../../src/index.ts"

const configuration = { machine: "pc-i440fx-10.0", capabilities: ["mapped-ram"] }

const shapes = [
  { idstr: "pc.ram", usedLength: 0x2000000, pageSize: 4096 },
  { idstr: "pc.bios", usedLength: 0x40000, pageSize: 4096 }
]

const algorithms = Object.keys(Checksum.algorithms) as ReadonlyArray<Checksum.Algorithm>

const sealOf = (algorithm: Checksum.Algorithm, extentSize: number): ImageSeal.Seal => {
  const { blocks } = ImageStream.head({ configuration, blocks: shapes })
  const length = Checksum.digestLength(algorithm)
  return {
    algorithm,
    extentSize,
    start: 0,
    end: 0x2345678,
    rest: new Uint8Array(length).fill(7),
    blocks: blocks.map(({ header, idstr, usedLength }) => ({
      idstr,
      usedLength,
      pageSize: header.pageSize,
      bitmapOffset: header.bitmapOffset,
      pagesOffset: header.pagesOffset,
      digests: new Uint8Array(ImageSeal.extentCount({ idstr, usedLength, pageSize: 4096 }, extentSize) * length).fill(9)
    }))
  }
}

const markOf = (algorithm: Checksum.Algorithm, seal: Uint8Array, key?: Uint8Array): ImageSeal.Mark => {
  const mark = { state: "sealed" as const, algorithm, seal: { position: 0x2346000, length: seal.length } }
  return { ...mark, digest: ImageSeal.digestOf(mark, seal, key) }
}

const codeOf = (result: Result.Result<unknown, { readonly code: string }>): string | undefined =>
  Result.isFailure(result) ? result.failure.code : undefined

const Places = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 }))

const Cuts = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 }))

describe("a seal", () => {
  for (const algorithm of algorithms) {
    it(`of ${algorithm} comes back as it was written`, () => {
      for (const extentSize of [64 * 1024, 1024 * 1024, 16 * 1024 * 1024]) {
        const seal = sealOf(algorithm, extentSize)
        assert.deepStrictEqual(ImageSeal.decode(ImageSeal.encode(seal), 0), Result.succeed(seal))
      }
    })
  }

  it.effect.prop("that is cut anywhere is corrupt", { cut: Cuts }, ({ cut }) =>
    Effect.sync(() => {
      const bytes = ImageSeal.encode(sealOf("crc32", 1024 * 1024))
      assert.strictEqual(codeOf(ImageSeal.decode(bytes.subarray(0, cut % bytes.length), 4096)), "seal-corrupt")
    })
  )

  it("that is corrupt says where in the file", () => {
    const bytes = ImageSeal.encode(sealOf("crc32", 1024 * 1024))
    const cut = ImageSeal.decode(bytes.subarray(0, bytes.length - 1), 4096)
    assert.isTrue(Result.isFailure(cut) && cut.failure.offset > 4096 && cut.failure.offset < 4096 + bytes.length)
    bytes[8] = 2
    const unknown = ImageSeal.decode(bytes, 4096)
    assert.isTrue(Result.isFailure(unknown) && unknown.failure.offset === 4104)
  })

  it("has a head that can be read without its blocks", () => {
    const { blocks: _, ...head } = sealOf("sha256", 1024 * 1024)
    const bytes = ImageSeal.encode({ ...head, blocks: [] })
    assert.deepStrictEqual(ImageSeal.decodeHead(bytes, 4096), Result.succeed(head))
    const whole = ImageSeal.encode(sealOf("sha256", 1024 * 1024)).subarray(0, bytes.length)
    assert.deepStrictEqual(ImageSeal.decodeHead(whole, 4096), Result.succeed(head))
    const cut = ImageSeal.decodeHead(bytes.subarray(0, bytes.length - 1), 4096)
    assert.isTrue(Result.isFailure(cut) && cut.failure.code === "seal-corrupt" && cut.failure.offset === 4096)
  })

  it("with something behind it is corrupt", () => {
    const bytes = ImageSeal.encode(sealOf("sha256", 1024 * 1024))
    const longer = new Uint8Array(bytes.length + 1)
    longer.set(bytes)
    assert.strictEqual(codeOf(ImageSeal.decode(longer, 0)), "seal-corrupt")
  })

  it.each([0, 3000, 128 * 1024])("of pages of %d bytes in smaller extents, or in none, is corrupt", (pageSize) => {
    const { blocks, ...head } = sealOf("crc32", 64 * 1024)
    const bytes = ImageSeal.encode({ ...head, blocks: blocks.map((block) => ({ ...block, pageSize })) })
    const decoded = ImageSeal.decode(bytes, 4096)
    const at = 4096 + ImageSeal.HEAD_LENGTH + 1 + "pc.ram".length + 8
    assert(Result.isFailure(decoded))
    assert.include(decoded.failure, { code: "seal-corrupt", offset: at })
  })

  it("of another version, algorithm or size of extents says so", () => {
    for (const [at, value, code] of [
      [0, 0, "seal-corrupt"],
      [8, 2, "seal-version-unsupported"],
      [9, 9, "seal-version-unsupported"],
      [15, 1, "seal-corrupt"]
    ] as const) {
      const bytes = ImageSeal.encode(sealOf("crc32", 1024 * 1024))
      bytes[at] = value
      assert.strictEqual(codeOf(ImageSeal.decode(bytes, 0)), code, `byte ${at}`)
    }
  })
})

describe("a mark", () => {
  const seal = ImageSeal.encode(sealOf("crc32", 1024 * 1024))

  for (const algorithm of algorithms) {
    it(`of ${algorithm} comes back as it was written`, () => {
      const mark = markOf(algorithm, seal)
      const bytes = ImageSeal.encodeMark(mark)
      assert.strictEqual(bytes.length, ImageSeal.MARK_LENGTH)
      assert.deepStrictEqual(ImageSeal.decodeMark(bytes, 192), Result.succeed(mark))
    })
  }

  it("is not seen where there is none, and a flipped bit in one never goes unnoticed", () => {
    assert.deepStrictEqual(ImageSeal.decodeMark(new Uint8Array(64), 0), Result.succeed(undefined))
    const mark = markOf("crc32", seal)
    for (let bit = 0; bit < 64 * 8; bit++) {
      const bytes = ImageSeal.encodeMark(mark)
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      const decoded = ImageSeal.decodeMark(bytes, 0)
      // One in the magic makes it nothing: whoever reads the image looks for a seal without a mark then.
      if (bit < 64) assert.deepStrictEqual(decoded, Result.succeed(undefined))
      else assert.strictEqual(codeOf(decoded), "seal-corrupt", `bit ${bit}`)
    }
  })

  it("of a later version is told from a damaged one", () => {
    const mark = ImageSeal.encodeMark({ ...markOf("crc32", seal), state: "unheard of" as "sealed" })
    assert.strictEqual(codeOf(ImageSeal.decodeMark(mark, 0)), "seal-version-unsupported")
    const later = Buffer.from(ImageSeal.encodeMark(markOf("crc32", seal)))
    later[8] = 2
    later.writeUInt32BE(0, 12)
    later.writeUInt32BE(crc32(later), 12)
    assert.strictEqual(codeOf(ImageSeal.decodeMark(later, 0)), "seal-version-unsupported")
  })

  it("of a seal that is longer than any makes no sense", () => {
    const mark = { ...markOf("crc32", seal), seal: { position: 4096, length: ImageSeal.MAX_LENGTH + 1 } }
    assert.strictEqual(codeOf(ImageSeal.decodeMark(ImageSeal.encodeMark(mark), 0)), "seal-corrupt")
  })

  it("has a digest that depends on seal, mark and key", () => {
    const key = new Uint8Array(32).fill(1)
    const mark = { state: "sealed" as const, algorithm: "hmac-sha256" as const, seal: { position: 0, length: 1 } }
    const digests = [
      ImageSeal.digestOf(mark, seal, key),
      ImageSeal.digestOf(mark, seal),
      ImageSeal.digestOf(mark, seal.subarray(1), key),
      ImageSeal.digestOf({ ...mark, seal: { position: 1, length: 1 } }, seal, key),
      ImageSeal.digestOf(mark, seal, new Uint8Array(32).fill(2))
    ]
    assert.strictEqual(new Set(digests.map((digest) => Buffer.from(digest).toString("hex"))).size, digests.length)
  })
})

describe("the layout of a sealed image", () => {
  const Pages = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2 ** 26 }))

  it.effect.prop("has room for the mark, whatever the length of its block", { pages: Pages }, ({ pages }) =>
    Effect.sync(() => {
      const block = { idstr: "ram", usedLength: pages * 4096, pageSize: 4096 }
      const { blocks } = ImageStream.head({ configuration, blocks: [block] })
      const mark = ImageSeal.markPosition(blocks)!
      const { bitmapOffset, pagesOffset } = blocks[0]!.header
      assert.isAtLeast(mark, bitmapOffset + 8 * Math.ceil(pages / 64))
      assert.isAtMost(mark + ImageSeal.MARK_LENGTH, pagesOffset)
      assert.strictEqual(mark % ImageSeal.MARK_LENGTH, 0)
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
    assert.isDefined(ImageSeal.markPosition(blocks))
    assert.strictEqual(blocks[0]!.header.pagesOffset, 2 * 1024 * 1024)
  })

  it("has none for the mark where all blocks are shared memory that was left out", () => {
    const shared = { machine: "pc-i440fx-10.0", capabilities: ["x-ignore-shared", "mapped-ram"] }
    const { blocks } = ImageStream.head({ configuration: shared, blocks: [{ ...shapes[0]!, ignored: true }] })
    assert.isUndefined(ImageSeal.markPosition(blocks))
  })

  it("is told by where its ranges lie", () => {
    const bytes = ImageSeal.encodeRange({ position: 0x1122334455, length: 0x66 })
    assert.deepStrictEqual(bytes, Uint8Array.of(0, 0, 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0, 0, 0, 0, 0, 0, 0, 0x66))
  })

  it("has none for the mark where bitmaps and pages follow each other closely, or something lies between", () => {
    const [block] = ImageStream.head({ configuration, blocks: [shapes[0]!] }).blocks
    const tight = { ...block!, header: { ...block!.header, bitmapOffset: 0x100000 - 1024 } }
    assert.isUndefined(ImageSeal.markPosition([tight]))
    const mark = ImageSeal.markPosition([block!])!
    const between = {
      ...tight,
      header: { ...tight.header, bitmapOffset: mark, pagesOffset: 0x4000000 },
      ignored: false
    }
    assert.notStrictEqual(ImageSeal.markPosition([block!, between]), mark)
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
    assert.isDefined(ImageSeal.markPosition(blocks))
    assert.isBelow(process.cpuUsage(before).user, 10_000_000)
  })

  it("leaves out what has no pages, but for its entry", () => {
    const shared = { machine: "pc-i440fx-10.0", capabilities: ["x-ignore-shared", "mapped-ram"] }
    const blocks = [{ ...shapes[0]!, ignored: true }, shapes[1]!]
    const head = ImageStream.head({ configuration: shared, blocks })
    const rest = ImageSeal.restOf({ start: 0, end: head.end, blocks: head.blocks })
    const { bitmapOffset } = head.blocks[1]!.header
    assert.deepStrictEqual(
      [...rest.slice(0, 2), rest.at(-1)].map((range) => range!.position + range!.length),
      [...head.blocks.map(({ headerPosition }) => headerPosition + 28), bitmapOffset + 8]
    )
    assert.lengthOf(rest, 3)
  })

  it("covers every byte of the stream and of the bitmaps once, and none of the pages", () => {
    const head = ImageStream.head({ start: 512, configuration, blocks: shapes })
    const rest = ImageSeal.restOf({ start: 512, end: head.end + 1000, blocks: head.blocks })
    const sum = rest.reduce((sum, { length }) => sum + length, 0)
    const pieces = head.pieces.reduce((sum, { bytes }) => sum + bytes.length, 0)
    assert.strictEqual(sum, pieces + 1000 + 0x2000000 / 4096 / 8 + 0x40000 / 4096 / 8)
    for (const { header, usedLength } of head.blocks) {
      for (const { length, position } of rest) {
        assert.isTrue(position + length <= header.pagesOffset || position >= header.pagesOffset + usedLength)
      }
    }
  })
})
