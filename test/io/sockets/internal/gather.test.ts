import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { makeGather, scatter } from "../../../../src/io/sockets/internal/gather.ts"

const KIB = 1024

/** Fills what the targets ask for with bytes in the order of their arrival, as a connection does. */
const receive = (targets: ReadonlyArray<Uint8Array>): number => {
  let next = 0
  const pieces = makeGather()(targets)
  for (const piece of pieces) {
    for (let i = 0; i < piece.memory.length; i++) piece.memory[i] = next++ % 251
    scatter(piece)
  }
  return pieces.length
}

/** Targets of the given lengths in memory of their own, a byte apart. */
const apart = (lengths: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const memory = new Uint8Array(lengths.reduce((sum, length) => sum + length + 1, 0))
  let at = 0
  return lengths.map((length) => {
    const target = memory.subarray(at, at + length)
    at += length + 1
    return target
  })
}

describe("gather", () => {
  it.prop(
    "every target gets its bytes, whatever lies where",
    {
      lengths: Schema.Array(Schema.Literals([0, 1, 100, 4096, 16_383, 16_384, 70_000])).check(Schema.isMaxLength(40)),
      neighbours: Schema.Boolean,
      backwards: Schema.Boolean
    },
    ({ backwards, lengths, neighbours }) => {
      const memory = new Uint8Array(lengths.reduce<number>((sum, length) => sum + length, 0))
      let at = 0
      const behind = lengths.map((length) => memory.subarray(at, (at += length)))
      const targets = neighbours ? behind : apart(lengths)
      const order = backwards ? targets.toReversed() : targets
      receive(order)
      const got = Buffer.concat(order)
      assert.isTrue(got.every((byte, i) => byte === i % 251))
    }
  )

  it("neighbours are one read", () => {
    const memory = new Uint8Array(512 * KIB)
    const pages = Array.from({ length: 128 }, (_, page) => memory.subarray(page * 4096, (page + 1) * 4096))
    assert.strictEqual(receive(pages), 1)
    assert.strictEqual(receive([...pages.slice(64), ...pages.slice(0, 64)]), 2)
  })

  it("small targets share reads of up to 64 KiB, large ones have their own", () => {
    assert.strictEqual(receive(apart(Array.from({ length: 128 }, () => 4 * KIB))), 8)
    assert.strictEqual(receive(apart([16 * KIB, 16 * KIB])), 2)
    assert.strictEqual(receive(apart([16 * KIB, 100, 16 * KIB, 100, 100])), 4)
    assert.strictEqual(receive(apart([100])), 1)
    assert.strictEqual(receive([]), 0)
  })

  it("memory of others is not touched", () => {
    const targets = apart([10, 10, 10])
    receive(targets)
    const memory = new Uint8Array(targets[0]!.buffer)
    assert.deepStrictEqual([memory[10], memory[21], memory[32]], [0, 0, 0])
  })
})
