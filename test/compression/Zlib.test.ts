import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeZlib from "node:zlib"
import * as Zlib from "../../src/compression/Zlib.ts"
import { changedAt, describeContract, failureOf, pagesOf, payloadsOf } from "../support/codecs/contract.ts"
import * as Packets from "../support/codecs/packets.ts"

const PAGE = 4096
const { Z_FULL_FLUSH, Z_NO_FLUSH, Z_PARTIAL_FLUSH, Z_SYNC_FLUSH } = NodeZlib.constants
const packet = Packets.mixed(16)
const pages = Packets.contents(packet, PAGE)

/** What another sender makes of a packet that comes after `before`: a flush after every piece. */
const sent = (flush: number, pieceSize: number, options: NodeZlib.ZlibOptions = {}) =>
  Effect.promise(async () => {
    const parts: Array<Buffer> = []
    const stream = NodeZlib.createDeflate({ ...options, flush: Z_NO_FLUSH }).on("data", (part) => parts.push(part))
    for (let at = 0; at < pages.length; at += pieceSize) {
      stream.write(pages.subarray(at, at + pieceSize))
      await new Promise<void>((resolve) => stream.flush(flush, resolve))
    }
    stream.destroy()
    return Buffer.concat(parts)
  })

describe("Zlib", () => {
  describeContract(Zlib.codec, {
    method: "zlib",
    flag: 0x02,
    levels: { min: 0, max: 9, default: 1 },
    captured: { file: "zlib.bin", lengths: [5108, 5315, 1851] },
    bombs: { "a bomb": NodeZlib.deflateSync(new Uint8Array(64 * 1024 * 1024)) },
    corrupt: {
      "a checksum that does not match": changedAt(NodeZlib.deflateSync(pages), 1),
      "deflate without the header": NodeZlib.deflateRawSync(pages),
      gzip: NodeZlib.gzipSync(pages),
      "a preset dictionary": NodeZlib.deflateSync(pages, { dictionary: Buffer.from("dictionary") })
    }
  })

  it.effect("is one stream with one header, flushed after every packet, never finished", () =>
    Effect.gen(function* () {
      const payloads = yield* payloadsOf(Zlib.codec, [packet, [], packet])
      assert.strictEqual(payloads[0]!.subarray(0, 2).toString("hex"), "7801")
      assert.lengthOf(payloads[1]!, 0)
      for (const payload of [payloads[0]!, payloads[2]!])
        assert.strictEqual(payload.subarray(-4).toString("hex"), "0000ffff")
      const all = NodeZlib.inflateSync(Buffer.concat(payloads), { finishFlush: Z_SYNC_FLUSH })
      assert.deepStrictEqual(all, Buffer.concat([pages, pages]))
    })
  )

  it.effect("looks back into the packets before", () =>
    Effect.gen(function* () {
      const noise = Packets.mixed(1).map((page) => ({ ...page, kind: "random" as const }))
      const [first, second] = yield* payloadsOf(Zlib.codec, [noise, noise])
      assert.isBelow(second!.length * 4, first!.length)
    })
  )

  it.effect("stores at level 0", () =>
    Effect.gen(function* () {
      const [payload] = yield* payloadsOf(Zlib.codec, [packet], { level: 0 })
      assert.isAbove(payload!.length, pages.length)
    })
  )

  for (const [name, flush, pieceSize, options] of [
    ["a sync flush after every page", Z_SYNC_FLUSH, PAGE, {}],
    ["a full flush after every page", Z_FULL_FLUSH, PAGE, {}],
    ["a partial flush", Z_PARTIAL_FLUSH, pages.length, {}],
    ["a partial flush after every page", Z_PARTIAL_FLUSH, PAGE, {}],
    ["level 0", Z_SYNC_FLUSH, pages.length, { level: 0 }],
    ["a small window", Z_SYNC_FLUSH, pages.length, { windowBits: 9 }]
  ] as const)
    it.effect(`takes ${name}`, () =>
      Effect.gen(function* () {
        const payload = yield* sent(flush, pieceSize, options)
        assert.deepStrictEqual(
          yield* pagesOf(yield* Zlib.codec.decompressor, payload, pages.length),
          Buffer.from(pages)
        )
      })
    )

  it.effect("refuses a stream for each packet, at the second one", () =>
    Effect.gen(function* () {
      const decompressor = yield* Zlib.codec.decompressor
      const finished = NodeZlib.deflateSync(pages)
      yield* pagesOf(decompressor, finished, pages.length)
      const error = yield* Effect.flip(pagesOf(decompressor, finished, pages.length))
      assert.strictEqual(
        error.message,
        `zlib payload: expected a stream of ${finished.length} bytes, found one that ends after 0`
      )
    })
  )

  it.effect("refuses two packets in one", () =>
    Effect.gen(function* () {
      const payloads = yield* payloadsOf(Zlib.codec, [packet, packet])
      const error = yield* failureOf(Zlib.codec, Buffer.concat(payloads), pages.length)
      assert.strictEqual(error.problem, "too-much-output")
    })
  )

  it.effect("refuses a payload that was cut", () =>
    Effect.gen(function* () {
      const [payload] = yield* payloadsOf(Zlib.codec, [packet])
      const error = yield* failureOf(Zlib.codec, payload!.subarray(0, 5000), pages.length)
      assert.strictEqual(error.problem, "too-little-output")
      assert.match(error.message, /^zlib payload: expected 65536 bytes after decompression, found \d+ bytes$/)
    })
  )
})
