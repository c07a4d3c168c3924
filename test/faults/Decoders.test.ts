/**
 * Decoders are total: whatever bytes they are given, they answer with a value or with what is wrong, in bounded time and
 * memory, and throw nothing.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { allocated } from "../support/bytes.ts"
import { decoders } from "../support/faults/decoders.ts"
import { check, isRefused, shown } from "../support/faults/judge.ts"
import { payloadDecoders } from "../support/faults/payloads.ts"
import { nextInput, randomFrom } from "../support/faults/mutation.ts"
import { settings } from "../support/settings.ts"

const casesOf = (share: number): number => Math.round((settings.decoderCases * share) / 10_000)

describe("decoders", () => {
  it("have shares that add up to all cases", () => {
    const shares = [...decoders, ...payloadDecoders].map(({ share }) => share)
    assert.strictEqual(
      shares.reduce((sum, share) => sum + share, 0),
      10_000
    )
    assert.isAtLeast(settings.decoderCases, 100_000)
  })

  for (const { decode, name, seeds, share } of decoders) {
    const cases = casesOf(share)

    it(`${name}: understands what it is to understand`, () => {
      assert.isTrue(seeds.some((bytes) => decode(bytes).length === 0))
    })

    it(`${name}: answers whatever it is given, ${cases} times`, { timeout: 0 }, () => {
      const random = randomFrom(share + seeds.length)
      let refused = 0
      for (let count = 0; count < cases; count++) {
        if (isRefused(decode, nextInput(seeds, random))) refused++
      }
      assert.isAbove(refused, cases / 10)
    })
  }

  for (const { decode, name, seeds, share } of payloadDecoders) {
    const cases = casesOf(share)

    it.effect(`${name}: understands a payload as it was packed`, () =>
      Effect.gen(function* () {
        assert.lengthOf(yield* decode(seeds[0]!), 0)
      })
    )

    it.effect(
      `${name}: answers any payload, ${cases} times`,
      () =>
        Effect.gen(function* () {
          const random = randomFrom(share + seeds.length)
          let refused = 0
          for (let count = 0; count < cases; count++) {
            const input = nextInput(seeds, random)
            const before = allocated()
            const exit = yield* Effect.exit(decode(input))
            if (exit._tag === "Failure") return assert.fail(`${Cause.pretty(exit.cause)} with ${shown(input)}`)
            check(input, exit.value, before)
            if (exit.value.length > 0) refused++
          }
          assert.isAbove(refused, cases / 10)
        }),
      { timeout: 0 }
    )
  }
})
