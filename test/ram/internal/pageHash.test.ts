import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as PageHash from "../../../src/ram/internal/pageHash.ts"
import { between } from "../../support/arbitraries.ts"

const WORDS = 256

const hashOf = (page: Int32Array): string =>
  Buffer.from(PageHash.make(page, new Int32Array(PageHash.words)).buffer).toString("hex")

const pageOf = (seed: number): Int32Array =>
  Int32Array.from({ length: WORDS }, (_, index) => Math.imul(seed + index, 0x9e3779b1))

describe("pageHash", () => {
  it.effect.prop(
    "one bit changes about half of the 128, some words in front of the end",
    { seed: between(-(2 ** 31), 2 ** 31 - 1), word: between(0, WORDS - 33), bit: between(0, 31) },
    ({ bit, seed, word }) =>
      Effect.sync(() => {
        const page = pageOf(seed)
        const before = BigInt(`0x${hashOf(page)}`)
        page[word]! ^= 1 << bit
        const changed = before ^ BigInt(`0x${hashOf(page)}`)
        const ones = changed.toString(2).replaceAll("0", "").length
        assert.isAtLeast(ones, 30)
        assert.isAtMost(ones, 98)
      })
  )

  it("pages that differ in little all have hashes of their own", () => {
    const hashes = new Set<string>()
    let pages = 0
    const add = (page: Int32Array) => {
      hashes.add(hashOf(page))
      pages++
    }
    add(new Int32Array(WORDS))
    for (let word = 0; word < WORDS; word++) {
      for (let bit = 0; bit < 32; bit++) {
        add(new Int32Array(WORDS).fill(1 << bit, word, word + 1))
        if (word >= 4) add(new Int32Array(WORDS).fill(1 << bit, word - 4, word + 1))
      }
    }
    assert.strictEqual(hashes.size, pages)
  })

  it("tells itself from others in a table", () => {
    const table = new Int32Array(3 * PageHash.words)
    const hash = PageHash.make(pageOf(1), new Int32Array(PageHash.words))
    table.set(hash, PageHash.words)
    assert.deepStrictEqual(
      [0, 1, 2].map((index) => PageHash.equals(hash, table, index * PageHash.words)),
      [false, true, false]
    )
    for (let word = 0; word < PageHash.words; word++) {
      const other = hash.slice()
      other[word]! ^= 1
      assert.isFalse(PageHash.equals(other, table, PageHash.words))
    }
  })
})
