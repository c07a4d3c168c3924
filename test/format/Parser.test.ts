import { assert, describe, it } from "@effect/vitest"
import * as Parser from "../../src/format/Parser.ts"

/** The lengths of what comes back. */
function* ask(demands: ReadonlyArray<Parser.ReadRequest>): Parser.Parser<ReadonlyArray<ReadonlyArray<number>>> {
  const answers: Array<ReadonlyArray<number>> = []
  for (const demand of demands) answers.push([...(yield demand)])
  return answers
}

describe("Parser.runSync", () => {
  const bytes = new Uint8Array([10, 11, 12, 13])
  const run = (...demands: ReadonlyArray<Parser.ReadRequest>) => Parser.runSync(ask(demands), bytes)

  it("answers with exactly the bytes", () => {
    assert.deepStrictEqual(run({ position: 1, length: 2 }, { position: 0, length: 4 }), [
      [11, 12],
      [10, 11, 12, 13]
    ])
  })

  it("answers with fewer where the input ends, and with none behind it", () => {
    assert.deepStrictEqual(
      run({ position: 3, length: 8 }, { position: 4, length: 1 }, { position: 2 ** 52, length: 1 }),
      [[13], [], []]
    )
  })

  it("runs a parser that wants nothing", () => assert.deepStrictEqual(run(), []))
})
