import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as PageLedger from "../../src/postcopy/PageLedger.ts"
import * as PageBitmap from "../../src/ram/PageBitmap.ts"
import { between } from "../support/arbitraries.ts"

const blockOf = (pages: number, present: ReadonlyArray<number>, pagesPerUnit = 1): PageLedger.LedgerBlock => {
  const bitmap = PageBitmap.make(pages)
  for (const page of present) bitmap.setRange(page, 1)
  return { idstr: "m", usedLength: pages * 4096, pageSize: 4096, present: bitmap, hostPageSize: pagesPerUnit * 4096 }
}

const pagesOf = (bitmap: PageBitmap.PageBitmap): ReadonlyArray<number> =>
  Array.from({ length: bitmap.pages }, (_, page) => page).filter((page) => bitmap.has(page))

describe("the ledger of a postcopy source", () => {
  it("gives a page away once", () => {
    const ledger = PageLedger.make([blockOf(4, [1, 2])])
    assert.deepStrictEqual([ledger.missing(), ledger.missingBytes()], [2, 8192])
    assert.isTrue(ledger.claim("m", 1))
    assert.isFalse(ledger.claim("m", 1))
    assert.isTrue(ledger.claim("m", 0), "an absent page can be asked for")
    assert.strictEqual(ledger.missing(), 1)
    assert.strictEqual(ledger.nextMissing("m", 0), 2)
    ledger.claim("m", 2)
    assert.deepStrictEqual([ledger.missing(), ledger.nextMissing("m", 0)], [0, undefined])
  })

  it("counts host pages: one that has any present page is present", () => {
    const ledger = PageLedger.make([blockOf(10, [5, 9], 4)])
    const entry = ledger.entries.get("m")!
    assert.deepStrictEqual([entry.units, pagesOf(entry.present)], [3, [1, 2]])
    assert.strictEqual(ledger.nextMissing("m", 0), 1)
  })

  it("takes over what a destination has", () => {
    const ledger = PageLedger.make([blockOf(4, [0, 1, 2])])
    for (const unit of [0, 1]) ledger.claim("m", unit)
    const received = PageBitmap.make(4)
    received.setRange(1, 1)
    ledger.replace(new Map([["m", received]]))
    assert.deepStrictEqual([ledger.missing(), ledger.isSent("m", 0), ledger.isSent("m", 1)], [2, false, true])
  })

  const pages = Arbitrary.array(between(0, 99), { maxLength: 60 })

  it.effect.prop(
    "claimed in any order: each present page once, none forgotten",
    { present: pages, asked: pages, pagesPerUnit: between(1, 5) },
    ({ asked, pagesPerUnit, present }) =>
      Effect.sync(() => {
        const block = blockOf(100, present, pagesPerUnit)
        const ledger = PageLedger.make([block])
        const sent: Array<number> = []
        for (const page of asked) {
          const unit = Math.floor(page / pagesPerUnit)
          if (ledger.claim("m", unit)) sent.push(unit)
        }
        for (let unit = ledger.nextMissing("m", 0); unit !== undefined; unit = ledger.nextMissing("m", 0)) {
          assert.isTrue(ledger.claim("m", unit))
          sent.push(unit)
        }
        assert.strictEqual(ledger.missing(), 0)
        assert.strictEqual(new Set(sent).size, sent.length)
        for (const page of present) assert.include(sent, Math.floor(page / pagesPerUnit))
      })
  )
})
