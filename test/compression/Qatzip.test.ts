import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeZlib from "node:zlib"
import * as Qatzip from "../../src/compression/Qatzip.ts"
import { describeContract, failureOf, pagesOf, payloadsOf } from "../support/codecs/contract.ts"
import * as Packets from "../support/codecs/packets.ts"

const PAGE = 4096
const packet = Packets.mixed(20)
const pages = Packets.contents(packet, PAGE)

/** The members of a payload, as their own sizes say where they end. */
const members = (payload: Buffer): ReadonlyArray<Buffer> => {
  const found: Array<Buffer> = []
  for (let start = 0; start < payload.length;) {
    const end = start + 24 + payload.readUInt32LE(start + 20) + 8
    found.push(payload.subarray(start, end))
    start = end
  }
  return found
}

describe("Qatzip", () => {
  describeContract(Qatzip.codec)

  it("has QEMU's flag, levels and room", () => {
    assert.strictEqual(Qatzip.codec.method, "qatzip")
    assert.strictEqual(Qatzip.codec.flag, 0x20)
    assert.deepStrictEqual(Qatzip.codec.levels, { min: 1, max: 9, default: 1 })
    assert.strictEqual(Qatzip.codec.maxPayload(128, PAGE), 1024 * 1024)
  })

  it.effect("makes members of 64 KiB with both sizes in an extra field", () =>
    Effect.gen(function* () {
      const [payload, none] = yield* payloadsOf(Qatzip.codec, [packet, []])
      assert.lengthOf(none!, 0)
      const found = members(payload!)
      assert.deepStrictEqual(
        found.map((member) => member.readUInt32LE(16)),
        [65536, 16384]
      )
      let start = 0
      for (const member of found) {
        const size = member.readUInt32LE(16)
        const expected = Buffer.from(pages.subarray(start, (start += size)))
        assert.strictEqual(member.subarray(0, 16).toString("hex"), "1f8b08040000000000ff0c00515a0800")
        assert.deepStrictEqual(NodeZlib.inflateRawSync(member.subarray(24, -8)), expected)
        assert.strictEqual(member.readUInt32LE(member.length - 8), NodeZlib.crc32(expected))
        assert.strictEqual(member.readUInt32LE(member.length - 4), size)
      }
      assert.deepStrictEqual(NodeZlib.gunzipSync(payload!), Buffer.from(pages))
    })
  )

  it.effect("compresses more at a higher level", () =>
    Effect.gen(function* () {
      const length = (level: number) =>
        Effect.map(payloadsOf(Qatzip.codec, [packet], { level }), ([payload]) => payload!.length)
      assert.isBelow(yield* length(9), yield* length(1))
    })
  )

  it.effect("takes members of any size and header, packet after packet", () =>
    Effect.gen(function* () {
      const decompressor = yield* Qatzip.codec.decompressor
      const bySize = (size: number) =>
        Buffer.concat(
          Array.from({ length: Math.ceil(pages.length / size) }, (_, index) =>
            NodeZlib.gzipSync(pages.subarray(index * size, (index + 1) * size))
          )
        )
      for (const size of [pages.length, PAGE, 1000])
        assert.deepStrictEqual(yield* pagesOf(decompressor, bySize(size), pages.length), new Uint8Array(pages))
      const empty = NodeZlib.gzipSync(Buffer.alloc(0))
      const padded = Buffer.concat([empty, bySize(PAGE), empty])
      assert.deepStrictEqual(yield* pagesOf(decompressor, padded, pages.length), new Uint8Array(pages))
    })
  )

  it.effect("refuses a member that is cut, or has another checksum or length", () =>
    Effect.gen(function* () {
      const whole = NodeZlib.gzipSync(pages)
      assert.strictEqual(
        (yield* failureOf(Qatzip.codec, whole.subarray(0, -1), pages.length)).message,
        "qatzip payload: expected a complete stream, found one that continues past its end"
      )
      for (const at of [1, 5]) {
        const changed = Buffer.from(whole)
        changed[changed.length - at]! ^= 1
        assert.strictEqual((yield* failureOf(Qatzip.codec, changed, pages.length)).problem, "corrupt")
      }
    })
  )

  it.effect("refuses what is no member, and zeros and a broken member behind the last one", () =>
    Effect.gen(function* () {
      const whole = NodeZlib.gzipSync(pages)
      assert.strictEqual((yield* failureOf(Qatzip.codec, NodeZlib.deflateSync(pages), pages.length)).problem, "corrupt")
      for (const more of ["00", "00000000", "1f", "ffff"]) {
        const payload = Buffer.concat([whole, Buffer.from(more, "hex")])
        assert.include(
          ["corrupt", "incomplete", "input-left-over"],
          (yield* failureOf(Qatzip.codec, payload, pages.length)).problem
        )
      }
    })
  )

  it.effect("refuses bombs, in one member and in many", () =>
    Effect.gen(function* () {
      const bomb = NodeZlib.gzipSync(new Uint8Array(8 * 1024 * 1024))
      for (const payload of [bomb, Buffer.concat([NodeZlib.gzipSync(pages), bomb, bomb])])
        assert.strictEqual((yield* failureOf(Qatzip.codec, payload, pages.length)).problem, "too-much-output")
    })
  )
})
