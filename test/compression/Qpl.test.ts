import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeZlib from "node:zlib"
import * as Qpl from "../../src/compression/Qpl.ts"
import { describeContract, payloadsOf } from "../support/codecs/contract.ts"
import * as Packets from "../support/codecs/packets.ts"
import { describePages, split } from "../support/codecs/pageMethod.ts"

describe("Qpl", () => {
  describeContract(Qpl.codec, { method: "qpl", flag: 0x08, levels: { min: 1, max: 1, default: 1 } })
  describePages(Qpl.codec, {
    deflate: (page) => NodeZlib.deflateRawSync(page),
    inflate: (bytes) => NodeZlib.inflateRawSync(bytes)
  })

  it.effect("looks back 4 KiB at most, in larger pages too", () =>
    Effect.gen(function* () {
      const pageSize = 65536
      const noise = Packets.contents([{ kind: "random", seed: 1, joined: false }], 8192)
      const page = Buffer.concat([noise, noise, Buffer.alloc(pageSize - 2 * noise.length)])
      const { compress } = yield* Qpl.codec.compressor({})
      const far = Buffer.concat(yield* compress([page], pageSize))
      assert.isAbove(far.length, 2 * 8192)
      const near = Buffer.concat(yield* compress([Buffer.alloc(pageSize, noise.subarray(0, 2048))], pageSize))
      assert.isBelow(near.length, 2 * 8192)
    })
  )

  it.effect("starts anew with each page", () =>
    Effect.gen(function* () {
      const page = { kind: "text", seed: 5, joined: true } as const
      const [payload] = yield* payloadsOf(Qpl.codec, [[page, page, page, page, page, page]])
      const pages = split(payload!, 6)
      for (const bytes of pages) assert.deepStrictEqual(bytes, pages[0])
    })
  )
})
