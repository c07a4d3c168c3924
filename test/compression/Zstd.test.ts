import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeZlib from "node:zlib"
import * as Zstd from "../../src/compression/Zstd.ts"
import { changedAt, describeContract, failureOf, pagesOf, payloadsOf } from "../support/codecs/contract.ts"
import * as Packets from "../support/codecs/packets.ts"

const PAGE = 4096
const { ZSTD_c_checksumFlag, ZSTD_c_compressionLevel, ZSTD_c_windowLog, ZSTD_e_flush } = NodeZlib.constants
const packet = Packets.mixed(16)
const pages = Packets.contents(packet, PAGE)
const frame = (params: Record<number, number> = {}) => NodeZlib.zstdCompressSync(pages, { params })

/** A frame header (RFC 8878) of a window of 2^log bytes, and an empty last block. */
const emptyFrame = (log: number): Buffer => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3, 1, 0, 0])

describe("Zstd", () => {
  describeContract(Zstd.codec, {
    method: "zstd",
    flag: 0x04,
    levels: { min: 0, max: 20, default: 1 },
    captured: { file: "zstd.bin", lengths: [656, 655, 228] },
    bombs: { "a bomb": NodeZlib.zstdCompressSync(new Uint8Array(64 * 1024 * 1024)) },
    corrupt: {
      "a checksum that does not match": changedAt(frame({ [ZSTD_c_checksumFlag]: 1 }), 1),
      "what is no frame": NodeZlib.deflateSync(pages)
    }
  })

  it.effect("is one frame with QEMU's header, flushed after every packet, never ended", () =>
    Effect.gen(function* () {
      const payloads = yield* payloadsOf(Zstd.codec, [packet, [], packet])
      assert.strictEqual(payloads[0]!.subarray(0, 6).toString("hex"), "28b52ffd0048")
      assert.lengthOf(payloads[1]!, 0)
      assert.notStrictEqual(payloads[2]!.subarray(0, 4).toString("hex"), "28b52ffd")
      const all = NodeZlib.zstdDecompressSync(Buffer.concat(payloads), { finishFlush: ZSTD_e_flush })
      assert.deepStrictEqual(all, Buffer.concat([pages, pages]))
    })
  )

  it.effect("looks back into the packets before", () =>
    Effect.gen(function* () {
      const [first, second] = yield* payloadsOf(Zstd.codec, [packet, packet])
      assert.isBelow(second!.length * 10, first!.length)
    })
  )

  it.effect("takes a complete frame for each packet, with and without a checksum", () =>
    Effect.gen(function* () {
      const decompressor = yield* Zstd.codec.decompressor
      for (const checksum of [0, 1, 0])
        assert.deepStrictEqual(
          yield* pagesOf(decompressor, frame({ [ZSTD_c_checksumFlag]: checksum }), pages.length),
          new Uint8Array(pages)
        )
    })
  )

  it.effect("takes frames of the highest level and with the largest window", () =>
    Effect.gen(function* () {
      for (const payload of [
        frame({ [ZSTD_c_compressionLevel]: 20 }),
        NodeZlib.zstdCompressSync(pages, { params: { [ZSTD_c_windowLog]: 27 } }),
        Buffer.concat([emptyFrame(27).subarray(0, 6), Buffer.from([0x01 | (1 << 1), 0x00, 0x08, 0x55])])
      ]) {
        const expected = payload.length === 10 ? 65536 : pages.length
        assert.lengthOf(yield* pagesOf(yield* Zstd.codec.decompressor, payload, expected), expected)
      }
    })
  )

  it.effect("refuses a window of 256 MiB before it takes memory for it", () =>
    Effect.gen(function* () {
      const error = yield* failureOf(Zstd.codec, emptyFrame(28), PAGE)
      assert.strictEqual(error.problem, "corrupt")
      assert.match(error.message, /ZSTD_error_frameParameter_windowTooLarge/)
    })
  )

  it.effect("refuses a new frame while the old one is open", () =>
    Effect.gen(function* () {
      const decompressor = yield* Zstd.codec.decompressor
      const [payload] = yield* payloadsOf(Zstd.codec, [packet])
      yield* pagesOf(decompressor, payload!, pages.length)
      assert.strictEqual((yield* Effect.flip(pagesOf(decompressor, payload!, pages.length)))._tag, "PayloadError")
    })
  )

  it.effect("refuses two frames in one packet", () =>
    Effect.gen(function* () {
      const error = yield* failureOf(Zstd.codec, Buffer.concat([frame(), frame()]), 2 * pages.length)
      assert.strictEqual(error.problem, "input-left-over")
      const length = frame().length
      assert.strictEqual(
        error.message,
        `zstd payload: expected a stream of ${2 * length} bytes, found one that ends after ${length}`
      )
    })
  )

  it.effect("refuses a payload that was cut", () =>
    Effect.gen(function* () {
      const [payload] = yield* payloadsOf(Zstd.codec, [packet])
      const error = yield* failureOf(Zstd.codec, payload!.subarray(0, 5000), pages.length)
      assert.strictEqual(error.problem, "too-little-output")
    })
  )
})
