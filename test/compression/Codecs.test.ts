import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Codecs } from "../../src/compression/Codecs.ts"
import * as Compression from "../../src/compression/Compression.ts"
import * as Zlib from "../../src/compression/Zlib.ts"

describe("Codecs", () => {
  it.effect("has every method but none", () =>
    Effect.gen(function* () {
      const codecs = yield* Codecs
      assert.deepStrictEqual(["none", ...codecs.keys()], [...Compression.methods])
      for (const [method, codec] of codecs) {
        assert.strictEqual(codec.method, method)
        assert.strictEqual(codec.flag, Compression.flags[method])
      }
    })
  )

  it.effect("can be replaced", () =>
    Effect.gen(function* () {
      const codecs = yield* Effect.provideService(Codecs, Codecs, new Map([["zlib" as const, Zlib.codec]]))
      assert.strictEqual(codecs.size, 1)
    })
  )

  it("marks each method by one bit of its own", () => {
    const bits = Object.values(Compression.flags)
    assert.deepStrictEqual(bits, [0, 2, 4, 8, 16, 32])
  })
})
