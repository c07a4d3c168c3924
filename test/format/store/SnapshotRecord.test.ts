import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as SnapshotRecord from "../../../src/format/store/SnapshotRecord.ts"
import { chainOf } from "../../support/images/storeRecords.ts"
import { mutate, mutation } from "../../support/bytes.ts"

const every = ["OPEN", "RENEW", "TAKEOVER", "COMMIT", "REPACK", "REPACK-END", "ABORT", "FORGET", "PRUNED"]
const records = chainOf(...every)
const codeOf = (bytes: Uint8Array): string | undefined => {
  const decoded = SnapshotRecord.decode(bytes)
  return Result.isFailure(decoded) ? decoded.failure.code : undefined
}

describe("SnapshotRecord", () => {
  for (const record of records) {
    it(`${record.state} comes back as it was written`, () => {
      const bytes = Result.getOrThrow(SnapshotRecord.encode(record))
      assert.deepStrictEqual(SnapshotRecord.decode(bytes), Result.succeed(record))
    })
  }

  it("OPEN keeps how the machine ran before", () => {
    const former = { runState: "running", settings: { events: false, "max-bandwidth": 1000, "tls-creds": "" } }
    const [open] = records
    const bytes = Result.getOrThrow(SnapshotRecord.encode({ ...open, former } as SnapshotRecord.Of<"OPEN">))
    assert.deepStrictEqual(Result.getOrThrow(SnapshotRecord.decode(bytes)), { ...open, former } as typeof open)
  })

  it.prop("changed bytes are a record or a finding", { changes: mutation }, ({ changes }) => {
    for (const record of records) {
      const changed = mutate(Result.getOrThrow(SnapshotRecord.encode(record)), changes)
      assert.include([undefined, "store-record-corrupt"], codeOf(changed))
    }
  })

  it("a field too many, a field too few and other spellings are findings", () => {
    const [open] = records
    const text = (value: unknown) => new Uint8Array(Buffer.from(JSON.stringify(value)))
    const canonical = JSON.parse(Buffer.from(Result.getOrThrow(SnapshotRecord.encode(open!))).toString()) as object
    assert.isUndefined(codeOf(text(canonical)))
    assert.strictEqual(codeOf(text({ ...canonical, writerz: 1 })), "store-record-corrupt")
    assert.strictEqual(codeOf(text({ vm: "web-1", ...canonical })), "store-record-corrupt")
    assert.strictEqual(codeOf(text({ bases: [] })), "store-record-corrupt")
    assert.strictEqual(codeOf(new Uint8Array(5000)), "store-record-corrupt")
  })

  it("labels that have no room in 4 KiB are refused when the record is written", () => {
    const commit = chainOf("OPEN", "COMMIT")[1] as SnapshotRecord.Of<"COMMIT">
    const labelled = SnapshotRecord.encode({ ...commit, labels: { note: "x".repeat(4096) } })
    assert.isTrue(Result.isFailure(labelled))
  })
})
