import { assert, describe, it } from "@effect/vitest"
import * as LastSecond from "../../../src/transfer/internal/lastSecond.ts"

describe("LastSecond", () => {
  it("lets a second's worth pass, and more when as much has left the second, both of whose ends belong to it", () => {
    const last = LastSecond.make()
    assert.strictEqual(last.wait(0, 1000), 0)
    last.add(0, 600)
    last.add(100, 400)
    assert.strictEqual(last.wait(100, 0.5), 901)
    assert.strictEqual(last.wait(400, 600), 601)
    assert.strictEqual(last.wait(400, 601), 701)
    assert.strictEqual(last.wait(1000, 600), 1)
    assert.strictEqual(last.wait(1001, 600), 0)
    assert.strictEqual(last.wait(1001, 601), 100)
    assert.strictEqual(last.wait(1101, 1000), 0)
  })

  it("what passed within 5 ms leaves together with the last of it", () => {
    const last = LastSecond.make()
    for (const now of [0, 4, 6]) last.add(now, 300)
    assert.strictEqual(last.wait(10, 700), 995)
    assert.strictEqual(last.wait(10, 701), 997)
  })

  it("sums of many parts are not off by a part", () => {
    const last = LastSecond.make()
    for (let at = 0; at < 999; at += 3) last.add(at, 1000 / 334)
    assert.strictEqual(last.wait(999, 1000 / 334), 0)
  })

  it("forgets everything when it is told to", () => {
    const last = LastSecond.make()
    last.add(0, 1000)
    last.clear()
    assert.strictEqual(last.wait(1, 1000), 0)
  })
})
