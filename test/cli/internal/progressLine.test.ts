import { assert, describe, it } from "@effect/vitest"
import { progressLine } from "../../../src/cli/internal/progressLine.ts"
import type { Snapshot } from "../../../src/migration/Progress.ts"

const nothingYet: Snapshot = {
  phase: "setup",
  bytesTotal: 0,
  bytesDone: 0,
  bytesRemaining: 0,
  round: 1,
  roundBytesTotal: 0,
  pages: 0,
  normalPages: 0,
  zeroPages: 0,
  bytesTransferred: 0,
  phaseMillis: { setup: 0, ram: 0, device: 0, sync: 0 },
  bytesPerSecond: 0,
  etaMillis: undefined
}

const moving: Snapshot = {
  ...nothingYet,
  phase: "ram",
  bytesTotal: 2 ** 20,
  bytesDone: 2 ** 19,
  pages: 128,
  zeroPages: 28,
  bytesPerSecond: 2 ** 30,
  etaMillis: 61_000
}

const theirs = { status: "active", ram: { remaining: 3 * 2 ** 20, "dirty-sync-count": 4 } }

/** The third round of a live capture, which began with 2 MiB of 16. */
const again: Snapshot = {
  ...moving,
  bytesTotal: 2 ** 24,
  bytesDone: 30 * 2 ** 20,
  bytesRemaining: 2 ** 19,
  round: 3,
  roundBytesTotal: 2 ** 21
}

describe("progressLine", () => {
  it("a later round: how far it is, never more than all of it", () => {
    assert.match(progressLine(again), /^RAM round 3 75% {2}1\.50 MiB of 2\.00 MiB {2}1\.00 GiB\/s {2}ETA 1 min 01 s /)
    assert.match(progressLine({ ...again, bytesRemaining: 0, roundBytesTotal: 0 }), /^RAM round 3 100% {2}0 B of 0 B /)
    assert.match(
      progressLine({ ...again, phase: "sync", bytesRemaining: 0 }),
      /^making durable 100% {2}16\.0 MiB of 16\.0 MiB /
    )
  })

  it("rounds of which only the first is known: what was done again, and no percentage", () => {
    const unknown = { ...again, round: 1, roundBytesTotal: 2 ** 24, bytesRemaining: 0 }
    assert.match(progressLine(unknown), /^RAM {2}16\.0 MiB, 14\.0 MiB again {2}1\.00 GiB\/s/)
    assert.notMatch(progressLine(unknown), /%|ETA/)
  })

  it("knows no rate and no end before there is one", () => {
    assert.strictEqual(progressLine(nothingYet), "setting up")
    assert.notInclude(progressLine({ ...nothingYet, bytesTotal: 2 ** 20 }), "ETA")
    assert.notInclude(progressLine({ ...moving, phase: "sync" }), "ETA")
  })

  it("everything, the most important first", () => {
    assert.strictEqual(
      progressLine(moving, theirs),
      "RAM 50%  512 KiB of 1.00 MiB  1.00 GiB/s  ETA 1 min 01 s  QEMU: active, 3.00 MiB left, pass 4  128 pages, 28 zero"
    )
    assert.strictEqual(progressLine(nothingYet, {}), "setting up  QEMU: none")
    assert.strictEqual(
      progressLine(nothingYet, { status: "new", ram: { remaining: 7 } }),
      "setting up  QEMU: new, 7 B left"
    )
    assert.strictEqual(progressLine(nothingYet, { status: "a\u001b" }), "setting up  QEMU: a\\u{1b}")
  })

  it("fields go from the right until it fits", () => {
    const all = progressLine(moving, theirs)
    let shorter = all
    for (let columns = all.length; columns > 0; columns--) {
      const line = progressLine(moving, theirs, columns)
      assert.isAtMost(line.length, columns)
      assert.isTrue(all.startsWith(line))
      assert.isAtMost(line.length, shorter.length)
      shorter = line
    }
    const fields = [100, 80, 59, 50, 29, 10].map((columns) => progressLine(moving, theirs, columns))
    assert.deepStrictEqual(fields, [
      "RAM 50%  512 KiB of 1.00 MiB  1.00 GiB/s  ETA 1 min 01 s  QEMU: active, 3.00 MiB left, pass 4",
      "RAM 50%  512 KiB of 1.00 MiB  1.00 GiB/s  ETA 1 min 01 s  QEMU: active",
      "RAM 50%  512 KiB of 1.00 MiB  1.00 GiB/s  ETA 1 min 01 s",
      "RAM 50%  512 KiB of 1.00 MiB  1.00 GiB/s",
      "RAM 50%  512 KiB of 1.00 MiB",
      "RAM 50%"
    ])
  })

  it("of a first field that does not fit, what fits", () => {
    assert.strictEqual(progressLine({ ...nothingYet, phase: "cancelling" }, undefined, 7), "rolling")
  })
})
