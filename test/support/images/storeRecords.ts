/**
 * Records of a chain, as the writers of the tests append them.
 */
import type * as SnapshotRecord from "../../../src/format/store/SnapshotRecord.ts"
import * as StoreId from "../../../src/format/store/StoreId.ts"

type Record = SnapshotRecord.SnapshotRecord

/** An id that is always the same for the same number. */
export const id = (number: number): string => StoreId.make(1_796_000_000_000, new Uint8Array(10).fill(number))

export const snapshot: string = id(1)
export const mapName = (number: number): string => `map/${snapshot}/${id(2)}-${number}`

const lease = { bases: [mapName(9)], leaseSeconds: 300 }
const content = (map: number) => ({ map: mapName(map), mapSha256: "ab".repeat(32), bytes: 1000, packs: 2 })

/** What each state has beside what all of them have; `map` is the number of its map. */
const own = (state: SnapshotRecord.State, map: number): object => {
  switch (state) {
    case "OPEN":
    case "RENEW":
    case "TAKEOVER":
    case "REPACK":
      return lease
    case "REPACK-END":
      return content(map)
    case "COMMIT":
      return {
        ...content(map),
        memoryDigest: "cd".repeat(32),
        labels: { nightly: "yes" },
        parent: null,
        image: { blocks: [{ idstr: "pc.ram", usedLength: 2 ** 30 }], machine: "pc-i440fx-10.0", qemu: "10.0.2" }
      }
    default:
      return {}
  }
}

/** A chain of these states, each record with the nonce of the one before it. `COMMIT:1` has map 1. */
export const chainOf = (...states: ReadonlyArray<string>): ReadonlyArray<Record> =>
  states.map((text, seq) => {
    const [state, map] = text.split(":") as [SnapshotRecord.State, string | undefined]
    const previousNonce = seq === 0 ? null : id(100 + seq - 1)
    const common = { seq, snapshot, vm: "web-1", at: 1_796_000_000_000 + seq, writer: id(2), nonce: id(100 + seq) }
    return { state, ...common, previousNonce, ...own(state, Number(map ?? 0)) } as Record
  })
