import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import type { SnapshotRecord } from "../../src/format/store/SnapshotRecord.ts"
import * as SnapshotChain from "../../src/store/SnapshotChain.ts"
import { chainOf, id, mapName } from "../support/images/storeRecords.ts"

const fold = (...states: ReadonlyArray<string>) => SnapshotChain.fold(chainOf(...states))
const stateOf = (...states: ReadonlyArray<string>): string => {
  const chain = fold(...states)
  if (Result.isFailure(chain)) return "illegal"
  return chain.success._tag === "Dead" ? `Dead ${chain.success.cause._tag}` : chain.success._tag
}

/** Each row: the records, and what they say together. */
const table: ReadonlyArray<readonly [states: string, state: string]> = [
  ["", "Dead Missing"],
  ["OPEN", "Open"],
  ["OPEN RENEW RENEW", "Open"],
  ["OPEN TAKEOVER RENEW", "Open"],
  ["OPEN COMMIT", "Committed"],
  ["OPEN TAKEOVER COMMIT", "Committed"],
  ["OPEN ABORT", "Dead Aborted"],
  ["OPEN ABORT COMMIT", "Dead Aborted"],
  ["OPEN COMMIT REPACK", "Committed"],
  ["OPEN COMMIT REPACK RENEW REPACK-END:1", "Committed"],
  ["OPEN COMMIT REPACK ABORT", "Committed"],
  ["OPEN COMMIT REPACK FORGET", "Forgotten"],
  ["OPEN COMMIT FORGET", "Forgotten"],
  ["OPEN COMMIT FORGET COMMIT", "Committed"],
  ["OPEN COMMIT FORGET PRUNED", "Dead Pruned"],
  ["OPEN COMMIT FORGET PRUNED COMMIT", "Dead Pruned"],
  ["COMMIT", "Dead Foreign"],
  ["OPEN OPEN", "illegal"],
  ["OPEN FORGET", "illegal"],
  ["OPEN REPACK", "illegal"],
  ["OPEN PRUNED", "illegal"],
  ["OPEN COMMIT COMMIT", "illegal"],
  ["OPEN COMMIT TAKEOVER", "illegal"],
  ["OPEN COMMIT RENEW", "illegal"],
  ["OPEN COMMIT ABORT", "illegal"],
  ["OPEN COMMIT REPACK-END", "illegal"],
  ["OPEN COMMIT PRUNED", "illegal"],
  ["OPEN COMMIT FORGET REPACK", "illegal"],
  ["OPEN COMMIT FORGET COMMIT:1", "illegal"]
]

describe("SnapshotChain", () => {
  for (const [states, state] of table) {
    it(`${states === "" ? "no record" : states}: ${state}`, () => {
      assert.strictEqual(stateOf(...states.split(" ").filter((text) => text !== "")), state)
    })
  }

  it("the bases are those of the newest OPEN, RENEW or TAKEOVER", () => {
    const records = chainOf("OPEN", "TAKEOVER", "RENEW").map((record, index) => ({
      ...record,
      bases: [mapName(index)]
    }))
    const chain = Result.getOrThrow(SnapshotChain.fold(records as unknown as ReadonlyArray<SnapshotRecord>))
    assert.deepStrictEqual(chain._tag === "Open" ? chain.lease.bases : undefined, [mapName(2)])
  })

  it("the newest map changes where a repack ends, and only there", () => {
    const mapAt = (...states: ReadonlyArray<string>) => {
      const chain = Result.getOrThrow(fold(...states))
      return chain._tag === "Committed" || chain._tag === "Forgotten" ? chain.map.map : undefined
    }
    assert.strictEqual(mapAt("OPEN", "COMMIT", "REPACK"), mapName(0))
    assert.strictEqual(mapAt("OPEN", "COMMIT", "REPACK", "ABORT"), mapName(0))
    assert.strictEqual(mapAt("OPEN", "COMMIT", "REPACK", "REPACK-END:1"), mapName(1))
    assert.strictEqual(mapAt("OPEN", "COMMIT", "REPACK", "REPACK-END:1", "FORGET"), mapName(1))
    assert.strictEqual(mapAt("OPEN", "COMMIT", "REPACK", "REPACK-END:1", "FORGET", "COMMIT:1"), mapName(1))
  })

  it("a gap, a missing start and a record that follows another one are the end of a chain", () => {
    const records = chainOf("OPEN", "RENEW", "COMMIT")
    const of = (...some: ReadonlyArray<SnapshotRecord | undefined>) => {
      const chain = Result.getOrThrow(
        SnapshotChain.fold(some.flatMap((record) => (record === undefined ? [] : [record])))
      )
      return chain._tag === "Dead" ? chain.cause : chain._tag
    }
    assert.deepStrictEqual(of(records[0], records[2]), { _tag: "Missing", generation: 1 })
    assert.deepStrictEqual(of(records[1], records[2]), { _tag: "Missing", generation: 0 })
    const late = records[2] === undefined ? undefined : { ...records[2], previousNonce: id(55) }
    assert.deepStrictEqual(of(records[0], records[1], late), { _tag: "Foreign", generation: 2 })
  })
})
