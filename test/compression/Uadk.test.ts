import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeZlib from "node:zlib"
import * as Uadk from "../../src/compression/Uadk.ts"
import { describeContract, failureOf, payloadsOf } from "../support/codecs/contract.ts"
import * as Packets from "../support/codecs/packets.ts"
import { describePages, payload, split } from "../support/codecs/pageMethod.ts"

const PAGE = 4096
const text = { kind: "text", seed: 5, joined: true } as const

describe("Uadk", () => {
  describeContract(Uadk.codec, { method: "uadk", flag: 0x10, levels: { min: 1, max: 1, default: 1 } })
  describePages(Uadk.codec, {
    deflate: (page) => NodeZlib.deflateSync(page),
    inflate: (bytes) => NodeZlib.inflateSync(bytes)
  })

  it.effect("writes zlib's header of a window of 4 KiB in front of each page", () =>
    Effect.gen(function* () {
      const [made] = yield* payloadsOf(Uadk.codec, [[text, text]])
      for (const page of split(made!, 2)) {
        assert.strictEqual(page[0], 0x48)
        assert.strictEqual(((page[0]! << 8) | page[1]!) % 31, 0)
      }
    })
  )

  it.effect("refuses a checksum that does not match", () =>
    Effect.gen(function* () {
      const page = NodeZlib.deflateSync(Packets.contents([text], PAGE))
      page[page.length - 1]! ^= 1
      const error = yield* failureOf(Uadk.codec, payload([page]), PAGE)
      assert.strictEqual(error.problem, "corrupt")
      assert.strictEqual(error.page, 0)
    })
  )
})
