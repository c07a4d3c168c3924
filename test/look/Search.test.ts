import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Search from "../../src/look/Search.ts"
import { between } from "../support/arbitraries.ts"
import { presentPages } from "../support/memory.ts"
import { machineOf } from "../support/images/sources.ts"

const MIB = 1024 * 1024

const found = (blocks: Readonly<Record<string, Uint8Array>>, pattern: string | Uint8Array, options?: Search.Options) =>
  Stream.runCollect(Search.run(machineOf(blocks), pattern, options))

const isAt = (bytes: Uint8Array, pattern: Uint8Array, at: number): boolean => {
  for (let i = 0; i < pattern.length; i++) if (bytes[at + i] !== pattern[i]) return false
  return true
}

/** All offsets, byte by byte. */
const naive = (bytes: Uint8Array, pattern: Uint8Array): ReadonlyArray<number> => {
  const present = new Set(presentPages(bytes, 4096))
  const offsets: Array<number> = []
  for (let at = 0; at <= bytes.length - pattern.length; at++) {
    if (!isAt(bytes, pattern, at)) continue
    const last = at + pattern.length - 1
    if (present.has(Math.floor(at / 4096)) || present.has(Math.floor(last / 4096))) offsets.push(at)
  }
  return offsets
}

describe("Search", () => {
  it.effect.prop(
    "finds the same as a naive search, across pages, pieces and absent pages",
    {
      places: Arbitrary.array(between(0, 2 * 256 - 1), { minLength: 1, maxLength: 4 }),
      shift: between(-9, 9),
      pattern: Arbitrary.array(between(0, 2), { minLength: 1, maxLength: 8 })
    },
    ({ pattern, places, shift }) =>
      Effect.gen(function* () {
        const bytes = new Uint8Array(2 * MIB)
        const searched = Uint8Array.from([9, ...pattern, 0])
        for (const place of places) {
          const at = Math.min(Math.max(0, place * 4096 + shift), bytes.length - searched.length)
          bytes.set(searched, at)
        }
        for (const one of [searched, searched.subarray(0, -1), searched.subarray(1)]) {
          if (one.every((byte) => byte === 0)) continue
          const matches = yield* found({ "pc.ram": bytes }, one)
          assert.deepStrictEqual(
            matches.map(({ offset }) => offset),
            naive(bytes, one)
          )
        }
      }),
    { arbitrary: { runs: 12 } }
  )

  it.effect("finds text at the border of two pieces, once", () =>
    Effect.gen(function* () {
      const bytes = new Uint8Array(2 * MIB)
      for (const at of [MIB - 13, MIB - 6, MIB, 2 * MIB - 6]) bytes.set(Buffer.from("needle"), at)
      const offsets = (yield* found({ "pc.ram": bytes }, "needle")).map(({ offset }) => offset)
      assert.deepStrictEqual(offsets, [MIB - 13, MIB - 6, MIB, 2 * MIB - 6])
    })
  )

  it.effect("finds overlapping matches, and none across two blocks", () =>
    Effect.gen(function* () {
      const a = new Uint8Array(4096)
      const b = new Uint8Array(4096)
      a.set(Buffer.from("aaaa"), 4092)
      b.set(Buffer.from("aa"), 0)
      assert.deepStrictEqual(yield* found({ a, b }, "aaa"), [
        { block: "a", offset: 4092 },
        { block: "a", offset: 4093 }
      ])
      assert.deepStrictEqual(yield* found({ a, b }, "aa", { block: "b" }), [{ block: "b", offset: 0 }])
    })
  )

  it.effect("finds a long pattern that spans absent pages", () =>
    Effect.gen(function* () {
      const bytes = new Uint8Array(2 * MIB)
      const pattern = new Uint8Array(Search.maxPatternLength)
      pattern[0] = 1
      pattern[pattern.length - 1] = 2
      bytes.set(pattern, MIB - 30_000)
      assert.deepStrictEqual(yield* found({ "pc.ram": bytes }, pattern), [{ block: "pc.ram", offset: MIB - 30_000 }])
    })
  )

  it.effect("does not read pieces without present pages", () =>
    Effect.gen(function* () {
      const bytes = new Uint8Array(8 * MIB)
      bytes[5 * MIB + 7] = 1
      const machine = machineOf({ "pc.ram": bytes })
      assert.lengthOf(yield* Stream.runCollect(Search.run(machine, Uint8Array.of(1))), 1)
      assert.deepStrictEqual(machine.reads, [[5 * MIB, MIB]])
    })
  )

  it.effect("refuses a pattern or a block that cannot be", () =>
    Effect.gen(function* () {
      const bytes = new Uint8Array(4096)
      const refused = [
        found({ a: bytes }, ""),
        found({ a: bytes }, new Uint8Array(Search.maxPatternLength + 1)),
        found({ a: bytes }, "x", { block: "b" })
      ]
      for (const one of refused) assert.strictEqual((yield* Effect.flip(one))._tag, "MigrationRequestError")
    })
  )
})
