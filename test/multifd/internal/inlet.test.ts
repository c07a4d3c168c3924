import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Connection } from "../../../src/io/sockets/Connection.ts"
import { Inlet } from "../../../src/multifd/internal/inlet.ts"

const LENGTH = 64

/** Gives bytes in pieces of some lengths, and then ends. */
const connectionOf = (bytes: Uint8Array, pieces: ReadonlyArray<number>) => {
  const asked: Array<number> = []
  let [at, calls] = [0, 0]
  const connection: Pick<Connection, "peer" | "readSome"> = {
    peer: "test",
    readSome: (target) =>
      Effect.sync(() => {
        asked.push(target.length)
        const count = Math.min(target.length, pieces[calls++ % pieces.length]!, bytes.length - at)
        target.set(bytes.subarray(at, (at += count)))
        return count
      })
  }
  return { connection: connection as Connection, asked }
}

const upTo = (maximum: number) => Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum })))

const numbered = (length: number) => Uint8Array.from({ length }, (_, i) => i % 251)

describe("Inlet", () => {
  it.effect.prop(
    "gives everything once and in order; views stay as they are until the memories change places twice",
    {
      ahead: Schema.Boolean,
      lengths: Arbitrary.array(upTo(2 * LENGTH), { minLength: 1, maxLength: 40 }),
      pieces: Arbitrary.array(upTo(3 * LENGTH), { minLength: 1, maxLength: 8 })
    },
    ({ ahead, lengths, pieces }) =>
      Effect.gen(function* () {
        const bytes = numbered(lengths.reduce((a, b) => a + b, 0))
        const views: Array<{ readonly view: Uint8Array; readonly expected: Uint8Array }> = []
        let before = 0
        const otherIsFree = Effect.sync(() => {
          views.splice(0, before)
          before = views.length
        })
        const { connection } = connectionOf(bytes, pieces)
        const inlet = new Inlet({ connection, length: LENGTH, ahead, otherIsFree })
        let at = 0
        for (const length of lengths) {
          assert.deepStrictEqual(yield* inlet.peekOrEnd(1), bytes.slice(at, at + 1))
          views.push({ view: yield* inlet.take(length), expected: bytes.slice(at, at + length) })
          at += length
          for (const { expected, view } of views) assert.deepStrictEqual(view, expected)
        }
        assert.isUndefined(yield* inlet.peekOrEnd(1))
      })
  )

  it.effect("reads as much as there is, or no more than asked for", () =>
    Effect.gen(function* () {
      const otherIsFree = Effect.void
      for (const [ahead, expected] of [
        [true, [LENGTH]],
        [false, [10, 20]]
      ] as const) {
        const { asked, connection } = connectionOf(numbered(LENGTH), [LENGTH])
        const inlet = new Inlet({ connection, length: LENGTH, ahead, otherIsFree })
        yield* inlet.take(10)
        yield* inlet.take(20)
        assert.deepStrictEqual(asked, [...expected])
      }
    })
  )

  it.effect("says how much was missing when the peer ended", () =>
    Effect.gen(function* () {
      const { connection } = connectionOf(numbered(15), [4])
      const inlet = new Inlet({ connection, length: LENGTH, ahead: true, otherIsFree: Effect.void })
      yield* inlet.take(10)
      for (const missing of [inlet.take(7), inlet.peekOrEnd(7)]) {
        const error = yield* Effect.flip(missing)
        assert.deepInclude(error, { _tag: "ConnectionEndedError", peer: "test", expected: 7, found: 5 })
      }
    })
  )
})
