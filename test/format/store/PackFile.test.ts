import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import { crc32 } from "node:zlib"
import type { Frame } from "../../../src/format/store/Frame.ts"
import * as PackFile from "../../../src/format/store/PackFile.ts"
import * as PageDigest from "../../../src/format/store/PageDigest.ts"
import * as StoreId from "../../../src/format/store/StoreId.ts"
import { between } from "../../support/arbitraries.ts"
import { bytes, concat } from "../../support/bytes.ts"

const snapshot = StoreId.make(1_796_000_000_000, new Uint8Array(10).fill(1))
const sealing = { repositoryKey: new Uint8Array(32).fill(1), repository: "0".repeat(26), name: "pack/a/b-0" }
const salt = new Uint8Array(16).fill(8)

/** A pack of frames that hold these bytes; what they decode to is of no concern here. */
const packOf = (stored: ReadonlyArray<Uint8Array>, key?: PackFile.PackKey) => {
  const sealed = stored.map((frame, number) => (key === undefined ? frame : PackFile.sealFrame(key, number, frame)))
  const frames = sealed.map((frame, index): Frame => ({
    coding: index % 2 === 0 ? "zstd" : "plain",
    pageSize: 4096,
    pages: 1 + (index % 256),
    storedBytes: frame.length,
    crc: crc32(frame)
  }))
  const pages = frames.reduce((sum, frame) => sum + frame.pages, 0)
  const trailer = { frames, digests: new Uint8Array(pages * PageDigest.BYTES).map((_, at) => at) }
  const header = PackFile.encodeHeader(key === undefined ? new Uint8Array(16) : salt)
  const front = concat(header, ...sealed)
  return { trailer, position: front.length, bytes: concat(front, PackFile.encodeEnd(trailer, snapshot, key)) }
}

const keys = [undefined, PackFile.keyOf(sealing, salt)]
const flips = function* (original: Uint8Array): Generator<readonly [bit: number, flipped: Uint8Array]> {
  for (let bit = 0; bit < original.length * 8; bit++) {
    const flipped = original.slice()
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    yield [bit, flipped]
  }
}

describe("PackFile", () => {
  const stored = Arbitrary.array(bytes(60), { maxLength: 12 })

  it.prop("trailer and frames come back as they were written, with and without a key", { stored }, (given) => {
    for (const key of keys) {
      const pack = packOf(given.stored, key)
      const read = PackFile.decodeEnd(pack.bytes.subarray(pack.position), pack.position, snapshot, key)
      assert.deepStrictEqual(read, Result.succeed(pack.trailer))
      const positions = PackFile.framePositions(pack.trailer)
      assert.strictEqual(positions.at(-1), pack.position)
      given.stored.forEach((frame, index) => {
        const inside = pack.bytes.subarray(positions[index], positions[index + 1])
        const opened = key === undefined ? inside : PackFile.openFrame(key, index, inside)
        assert.deepStrictEqual(opened, frame)
      })
    }
  })

  it("the header gives the salt back, and tells a newer version from damage", () => {
    const header = PackFile.encodeHeader(salt)
    assert.deepStrictEqual(PackFile.decodeHeader(header), Result.succeed(salt))
    for (const [bit, flipped] of flips(header.subarray(0, 16))) {
      const read = PackFile.decodeHeader(concat(flipped, salt))
      const code = Result.isFailure(read) ? read.failure.code : undefined
      assert.strictEqual(code, bit >= 64 && bit < 96 ? "store-version-unsupported" : "store-pack-corrupt", `bit ${bit}`)
    }
    assert.isTrue(Result.isFailure(PackFile.decodeHeader(header.subarray(0, 31))))
  })

  it("a pack says from its end where its trailer is, and whose it is", () => {
    const pack = packOf([new Uint8Array(5)])
    const footer = PackFile.decodeFooter(pack.bytes.subarray(-PackFile.FOOTER_BYTES), pack.bytes.length)
    const trailerBytes = pack.bytes.length - pack.position - PackFile.FOOTER_BYTES
    assert.deepStrictEqual(footer, Result.succeed({ trailerBytes, snapshot }))
  })

  for (const key of keys) {
    it(`no bit of an end ${key === undefined ? "" : "that is sealed "}flips, and no byte is lost, unnoticed`, () => {
      const pack = packOf([new Uint8Array(5), new Uint8Array(3)], key)
      const end = pack.bytes.subarray(pack.position)
      for (const [bit, flipped] of flips(end)) {
        assert.isTrue(Result.isFailure(PackFile.decodeEnd(flipped, pack.position, snapshot, key)), `bit ${bit}`)
      }
      for (let length = 0; length < end.length; length++) {
        const cut = PackFile.decodeEnd(end.subarray(0, length), pack.position, snapshot, key)
        assert.isTrue(Result.isFailure(cut), `${length} bytes`)
      }
      assert.isTrue(Result.isFailure(PackFile.decodeEnd(end, pack.position + 1, snapshot, key)))
      assert.isTrue(Result.isFailure(PackFile.decodeEnd(end, pack.position, StoreId.random(), key)))
    })
  }

  it("a sealed frame opens as the one it is, in the pack it belongs to", () => {
    const key = PackFile.keyOf(sealing, salt)
    const sealed = PackFile.sealFrame(key, 3, new Uint8Array(10))
    assert.deepStrictEqual(PackFile.openFrame(key, 3, sealed), new Uint8Array(10))
    assert.isUndefined(PackFile.openFrame(key, 4, sealed))
    assert.isUndefined(PackFile.openFrame(PackFile.keyOf({ ...sealing, name: "pack/a/b-1" }, salt), 3, sealed))
    assert.isUndefined(PackFile.openFrame(PackFile.keyOf(sealing, new Uint8Array(16)), 3, sealed))
    const trailer = packOf([], key).bytes
    assert.isUndefined(PackFile.openFrame(key, 2 ** 32 - 1, concat(trailer.subarray(32, 36), trailer.subarray(68, 84))))
  })

  it.prop(
    "any trailer with a right checksum is one of bounded frames, or a finding",
    { junk: bytes(64) },
    ({ junk }) => {
      const made = PackFile.encodeEnd({ frames: [], digests: junk }, snapshot)
      const read = PackFile.decodeEnd(made, PackFile.HEADER_BYTES, snapshot)
      if (junk.length === 0) assert.deepStrictEqual(read, Result.succeed({ frames: [], digests: junk }))
      else assert.isTrue(Result.isFailure(read))
    }
  )

  it.prop(
    "frames that no writer makes are findings",
    { pages: between(0, 65535), bits: between(0, 30) },
    ({ bits, pages }) => {
      const frame = { coding: "zstd", pageSize: 2 ** bits, pages, storedBytes: 0, crc: 0 } as const
      const made = PackFile.encodeEnd({ frames: [frame], digests: new Uint8Array(pages * 16) }, snapshot)
      const read = PackFile.decodeEnd(made, PackFile.HEADER_BYTES, snapshot)
      const isSound = pages >= 1 && pages <= 256 && bits >= 9 && pages * 2 ** bits <= 1024 * 1024
      assert.strictEqual(Result.isSuccess(read), isSound)
    }
  )
})
