import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Dump from "../../src/look/Dump.ts"
import { machineOf } from "../support/images/sources.ts"

const MIB = 1024 * 1024
const bytes = Uint8Array.from({ length: 3 * MIB }, (_, i) => i * 7 + (i >> 8))

const dumped = (range: Dump.Range) => Stream.runCollect(Dump.run(machineOf({ "pc.ram": bytes }), range))

describe("Dump", () => {
  it.effect("gives the bytes of a range, cut where units begin", () =>
    Effect.gen(function* () {
      const pieces = yield* dumped({ block: "pc.ram", offset: MIB - 5, length: MIB + 9 })
      assert.deepStrictEqual(
        pieces.map(({ length }) => length),
        [5, MIB, 4]
      )
      assert.isTrue(Buffer.concat(pieces).equals(bytes.subarray(MIB - 5, 2 * MIB + 4)))
    })
  )

  it.effect("gives all up to the end, and nothing of nothing", () =>
    Effect.gen(function* () {
      assert.isTrue(Buffer.concat(yield* dumped({ block: "pc.ram", offset: 77 })).equals(bytes.subarray(77)))
      assert.lengthOf(yield* dumped({ block: "pc.ram", length: 0 }), 0)
    })
  )

  it.effect("refuses a range that is not in the block, before it reads", () =>
    Effect.gen(function* () {
      for (const range of [{ offset: 3 * MIB, length: 1 }, { offset: -1 }, { offset: 4 * MIB }, { length: 0.5 }]) {
        const error = yield* Effect.flip(dumped({ block: "pc.ram", ...range }))
        assert.strictEqual(error._tag, "MigrationRequestError")
      }
      assert.include((yield* Effect.flip(dumped({ block: "x" }))).message, 'no pages of a block "x"; use one of')
    })
  )
})
