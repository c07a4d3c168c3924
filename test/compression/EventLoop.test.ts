/**
 * While a packet is compressed or decompressed, the event loop goes round.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Codec } from "../../src/compression/Compression.ts"
import * as Qatzip from "../../src/compression/Qatzip.ts"
import * as Qpl from "../../src/compression/Qpl.ts"
import * as Uadk from "../../src/compression/Uadk.ts"
import * as Zlib from "../../src/compression/Zlib.ts"
import * as Zstd from "../../src/compression/Zstd.ts"
import { pagesOf, payloadOf } from "../support/codecs/contract.ts"
import * as Packets from "../support/codecs/packets.ts"

const PAGE = 4096
const packet = Packets.mixed(128)
const runs = Packets.runs(packet, PAGE)
const contents = Packets.contents(packet, PAGE)

/** How many turns of the event loop fit into it. Where all is done in one go, there is none. */
const turnsDuring = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    let turns = 0
    let done = false
    const turn = () => {
      turns++
      if (!done) setImmediate(turn)
    }
    setImmediate(turn)
    return Effect.map(self, (value) => {
      done = true
      return { turns, value }
    })
  })

describe("a packet of 512 KiB leaves the event loop alone", () => {
  const codecs: ReadonlyArray<readonly [Codec, number | undefined]> = [
    [Zlib.codec, 9],
    [Zstd.codec, 9],
    [Qpl.codec, undefined],
    [Uadk.codec, undefined],
    [Qatzip.codec, 9]
  ]
  for (const [codec, level] of codecs) {
    it.effect(`while ${codec.method} packs and unpacks it`, () =>
      Effect.gen(function* () {
        const compressor = yield* codec.compressor({ level })
        const decompressor = yield* codec.decompressor
        const compressed = yield* turnsDuring(payloadOf(compressor, runs))
        const decompressed = yield* turnsDuring(pagesOf(decompressor, compressed.value, contents.length))
        assert.deepStrictEqual(decompressed.value, new Uint8Array(contents))
        assert.isAtLeast(compressed.turns, 1)
        assert.isAtLeast(decompressed.turns, 1)
      })
    )
  }
})
