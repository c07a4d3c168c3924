/**
 * Decoders are total: whatever bytes they are given, they answer with a value or with what is wrong, in bounded time and
 * memory, and throw nothing.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { allocated } from "../format/support/bytes.ts"
import { type Problem, decoders } from "./support/decoders.ts"
import { payloadDecoders } from "./support/payloads.ts"
import { nextInput, randomFrom } from "./support/mutation.ts"
import { settings } from "./support/settings.ts"

/**
 * What may be allocated for an input of some KiB: the 64 MiB of an image with holes that are searched through, some of it
 * twice, and far less than what a number in it may say.
 */
const MAX_ALLOCATED = 128 * 1024 * 1024

const shown = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

const isText = (value: unknown): boolean => typeof value === "string"

const attempt = <A>(decode: (bytes: Uint8Array) => A, input: Uint8Array): A => {
  try {
    return decode(input)
  } catch (error) {
    throw new Error(`with ${shown(input)}`, { cause: error })
  }
}

/** Every answer says what is wrong, and costs no more than an input of this size may. */
const check = (input: Uint8Array, problems: ReadonlyArray<Problem>, more: number): void => {
  if (more > MAX_ALLOCATED) assert.fail(`allocated ${more} bytes for ${shown(input)}`)
  for (const { expected, found } of problems) {
    if (!isText(expected) || !isText(found)) assert.fail(`says nothing of ${shown(input)}`)
  }
}

const casesOf = (share: number): number => Math.round((settings.decoderCases * share) / 10_000)

describe("decoders", () => {
  it("share all cases", () => {
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
        const input = nextInput(seeds, random)
        const before = allocated()
        const problems = attempt(decode, input)
        check(input, problems, allocated() - before)
        if (problems.length > 0) refused++
      }
      assert.isAbove(refused, cases / 10)
    })
  }

  for (const { decode, name, seeds, share } of payloadDecoders) {
    const cases = casesOf(share)

    it.effect(`${name}: understands what it is to understand`, () =>
      Effect.gen(function* () {
        assert.lengthOf(yield* decode(seeds[0]!), 0)
      })
    )

    it.effect(
      `${name}: answers whatever it is given, ${cases} times`,
      () =>
        Effect.gen(function* () {
          const random = randomFrom(share + seeds.length)
          let refused = 0
          for (let count = 0; count < cases; count++) {
            const input = nextInput(seeds, random)
            const before = allocated()
            const exit = yield* Effect.exit(decode(input))
            if (exit._tag === "Failure") return assert.fail(`${Cause.pretty(exit.cause)} with ${shown(input)}`)
            check(input, exit.value, allocated() - before)
            if (exit.value.length > 0) refused++
          }
          assert.isAbove(refused, cases / 10)
        }),
      { timeout: 0 }
    )
  }
})
