import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as PeerLimits from "../../src/multifd/PeerLimits.ts"

describe("Limits", () => {
  it.effect("are the documented ones unless told otherwise", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* PeerLimits.make({}), PeerLimits.defaults)
      const { idleTimeout, maxRam } = yield* PeerLimits.make({ idleTimeout: "2 minutes", maxRam: 4096 })
      assert.strictEqual(Duration.toSeconds(idleTimeout), 120)
      assert.strictEqual(maxRam, 4096)
    })
  )

  it.effect("may leave out the idle timeout altogether", () =>
    Effect.gen(function* () {
      const { idleTimeout } = yield* PeerLimits.make({ idleTimeout: Duration.infinity })
      assert.isFalse(Duration.isFinite(idleTimeout))
    })
  )

  it.effect("may take any rate and any time", () =>
    Effect.gen(function* () {
      assert.include(yield* PeerLimits.make({}), { minRate: 1024 })
      assert.include(yield* PeerLimits.make({ minRate: 0 }), { minRate: 0 })
      assert.isFalse(Duration.isFinite((yield* PeerLimits.make({})).maxDuration))
      for (const input of [{ minRate: -1 }, { minRate: Number.NaN }, { minRate: Infinity }, { maxDuration: 0 }]) {
        const { problems } = yield* Effect.flip(PeerLimits.make(input))
        assert.deepStrictEqual([problems.length, problems[0].option], [1, Object.keys(input)[0]])
      }
    })
  )

  it.effect("list everything that is wrong", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        PeerLimits.make({
          handshakeTimeout: 0,
          idleTimeout: "never" as never,
          maxPayload: 0.5,
          maxBlocks: -1,
          maxRam: NaN
        })
      )
      assert.instanceOf(error, PeerLimits.LimitsError)
      assert.strictEqual(error[Runtime.errorExitCode], 2)
      assert.deepStrictEqual(
        error.problems.map(({ reason }) => reason),
        ["handshakeTimeout is 0", 'idleTimeout is "never"', "maxPayload is 0.5", "maxBlocks is -1", "maxRam is NaN"]
      )
      assert.include(error.message, 'idleTimeout is "never"; use a time longer than none. Also: maxPayload is 0.5; use')
    })
  )
})
