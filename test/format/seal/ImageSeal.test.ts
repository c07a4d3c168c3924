import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as ImageNotes from "../../../src/format/seal/ImageNotes.ts"
import * as ImageSeal from "../../../src/format/seal/ImageSeal.ts"
import * as ImageStream from "../../../src/format/image/ImageStream.ts"
import { algorithms, codeOf, configuration, sealOf, shapes } from "../../support/images/seals.ts"

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

  it("has its notes behind its blocks, and no bytes for none", () => {
    const seal = sealOf("crc32", 1024 * 1024)
    const plain = ImageSeal.encode(seal)
    assert.strictEqual(new DataView(plain.buffer).getUint32(36), 0)
    const noted = { ...seal, notes: { marks: "each-round" as const, lost: [{ idstr: "größe", pages: 7 }] } }
    const bytes = ImageSeal.encode(noted)
    assert.deepStrictEqual(ImageSeal.decode(bytes, 0), Result.succeed(noted))
    const text = new TextEncoder().encode('{"marks":"each-round","lost":[{"idstr":"größe","pages":7}]}')
    assert.deepStrictEqual(bytes.slice(plain.length), text)
    assert.strictEqual(new DataView(bytes.buffer).getUint32(36), text.length)
    assert.deepStrictEqual(bytes.slice(40, plain.length), plain.slice(40))
  })

  it("whose notes are too long, or no notes, is corrupt where they lie", () => {
    const plain = ImageSeal.encode(sealOf("crc32", 1024 * 1024))
    const withNotes = (length: number, notes: Uint8Array): Uint8Array => {
      const bytes = new Uint8Array(Buffer.concat([plain, notes]))
      new DataView(bytes.buffer).setUint32(36, length)
      return bytes
    }
    for (const [bytes, offset] of [
      [withNotes(ImageNotes.MAX_LENGTH + 1, new Uint8Array(ImageNotes.MAX_LENGTH + 1)), 36],
      [withNotes(2, Buffer.from("[]")), plain.length],
      [withNotes(3, Buffer.from("{}")), plain.length],
      [withNotes(0, Buffer.from("{}")), plain.length]
    ] as const) {
      const decoded = ImageSeal.decode(bytes, 4096)
      assert(Result.isFailure(decoded))
      assert.include(decoded.failure, { code: "seal-corrupt", offset: 4096 + offset })
    }
  })

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
    const { blocks: _, notes: _notes, ...head } = sealOf("sha256", 1024 * 1024)
    const bytes = ImageSeal.encode({ ...head, blocks: [], notes: {} })
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

describe("the layout of a sealed image", () => {
  it("is told by where its ranges lie", () => {
    const bytes = ImageSeal.encodeRange({ position: 0x1122334455, length: 0x66 })
    assert.deepStrictEqual(bytes, Uint8Array.of(0, 0, 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0, 0, 0, 0, 0, 0, 0, 0x66))
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
