import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import { Buffer } from "node:buffer"
import { makeGather } from "../../../src/multifd/internal/gather.ts"
import { between } from "../../support/arbitraries.ts"

const lengths = Arbitrary.array(between(1, 100_000), { maxLength: 40 })

/** Pushes pieces of these lengths through a buffer that is used again; what comes out, in copies. */
const gathered = Effect.fnUntraced(function* (lengths: ReadonlyArray<number>) {
  const taken: Array<Uint8Array> = []
  const { flush, push } = makeGather((bytes) => Effect.sync(() => void taken.push(bytes.slice())))
  const buffer = new Uint8Array(100_000)
  for (const [index, length] of lengths.entries()) yield* push(buffer.subarray(0, length).fill(index))
  yield* flush
  return taken
})

describe("gather", () => {
  it.effect.prop("hands on every byte, in order", { lengths }, ({ lengths }) =>
    Effect.gen(function* () {
      const expected = Buffer.concat(lengths.map((length, index) => Buffer.alloc(length, index)))
      assert.isTrue(Buffer.concat(yield* gathered(lengths)).equals(expected))
    })
  )

  it.effect("makes few pieces of bytes that come one at a time, also between longer ones", () =>
    Effect.gen(function* () {
      assert.isAtMost((yield* gathered(Array<number>(200_000).fill(1))).length, 4)
      const mixed = Array.from({ length: 1000 }, (_, index) => (index % 2 === 0 ? 1 : 4096))
      assert.isAtMost((yield* gathered(mixed)).length, 70)
    })
  )

  it.effect("leaves long pieces where they are", () =>
    Effect.gen(function* () {
      const piece = new Uint8Array(50_000)
      const { push } = makeGather((bytes) => Effect.sync(() => assert.strictEqual(bytes, piece)))
      yield* push(piece)
    })
  )
})
