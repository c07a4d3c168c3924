import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeZlib from "node:zlib"
import * as Qatzip from "../../src/compression/Qatzip.ts"
import { changedAt, describeContract, failureOf, pagesOf, payloadsOf, sixteen } from "../support/codecs/contract.ts"
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

const member = NodeZlib.gzipSync(sixteen)
const bomb = NodeZlib.gzipSync(new Uint8Array(8 * 1024 * 1024))

describe("Qatzip", () => {
  describeContract(Qatzip.codec, {
    method: "qatzip",
    flag: 0x20,
    levels: { min: 1, max: 9, default: 1 },
    bombs: {
      "a bomb in one member": bomb,
      "a bomb in many members": Buffer.concat([NodeZlib.gzipSync(sixteen), bomb, bomb])
    },
    corrupt: {
      "a length that does not match": changedAt(member, 1),
      "a checksum that does not match": changedAt(member, 5),
      "what is no member": NodeZlib.deflateSync(sixteen)
    }
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

  it.effect("refuses a member that is cut", () =>
    Effect.gen(function* () {
      const whole = NodeZlib.gzipSync(pages)
      assert.strictEqual(
        (yield* failureOf(Qatzip.codec, whole.subarray(0, -1), pages.length)).message,
        "qatzip payload: expected a complete stream, found one that continues past its end"
      )
    })
  )

  it.effect("refuses zeros and a broken member behind the last one", () =>
    Effect.gen(function* () {
      const whole = NodeZlib.gzipSync(pages)
      for (const more of ["00", "00000000", "1f", "ffff"]) {
        const payload = Buffer.concat([whole, Buffer.from(more, "hex")])
        assert.include(
          ["corrupt", "incomplete", "input-left-over"],
          (yield* failureOf(Qatzip.codec, payload, pages.length)).problem
        )
      }
    })
  )
})
