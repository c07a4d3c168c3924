/**
 * The combined state of the records of a snapshot.
 *
 * ```text
 *             OPEN, TAKEOVER, RENEW          REPACK, RENEW, REPACK-END, ABORT
 *               ┌────┐                          ┌────┐
 *   (nothing) ──▶ Open ── COMMIT ──────────▶ Committed ── FORGET ──▶ Forgotten
 *                  │                                ◀──── COMMIT ─────┤
 *                  ABORT                                            PRUNED
 *                  ▼                                                  ▼
 *                 Dead, for ever ◀─────────────────────────────────────
 *                   also: no OPEN at 0, a gap, a record that does not name the nonce of the one before it
 * ```
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Finding from "../format/Finding.ts"
import type * as SnapshotRecord from "../format/store/SnapshotRecord.ts"

type Record = SnapshotRecord.SnapshotRecord

/**
 * A lease: the writer of a snapshot, its deadline, and its maps.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Lease {
  readonly writer: string
  readonly bases: ReadonlyArray<string>
  readonly leaseSeconds: number
}

/**
 * A snapshot as described by its chain. `last` is the newest record; the next one names its nonce.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type SnapshotChain =
  | { readonly _tag: "Open"; readonly opened: SnapshotRecord.Of<"OPEN">; readonly lease: Lease; readonly last: Record }
  | {
      readonly _tag: "Committed"
      readonly opened: SnapshotRecord.Of<"OPEN">
      readonly commit: SnapshotRecord.Of<"COMMIT">
      /** The newest map: that of the newest COMMIT or REPACK-END. */
      readonly map: Pick<SnapshotRecord.Of<"COMMIT">, "bytes" | "map" | "mapSha256" | "packs">
      /** A repack that has begun. */
      readonly repack: Lease | undefined
      readonly last: Record
    }
  | {
      readonly _tag: "Forgotten"
      readonly opened: SnapshotRecord.Of<"OPEN">
      readonly commit: SnapshotRecord.Of<"COMMIT">
      readonly map: Pick<SnapshotRecord.Of<"COMMIT">, "bytes" | "map" | "mapSha256" | "packs">
      readonly last: SnapshotRecord.Of<"FORGET">
    }
  | { readonly _tag: "Dead"; readonly cause: Cause; readonly last: Record | undefined }

/**
 * The reason why a chain is dead. `gap` and `headless` are valid only after a read of the missing record has confirmed
 * them.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Cause =
  | { readonly _tag: "Aborted" }
  | { readonly _tag: "Pruned" }
  | { readonly _tag: "Missing"; readonly generation: number }
  | { readonly _tag: "Foreign"; readonly generation: number }

const dead = (cause: Cause, last: Record | undefined): SnapshotChain => ({ _tag: "Dead", cause, last })

const leaseOf = ({
  bases,
  leaseSeconds,
  writer
}: SnapshotRecord.Of<"OPEN" | "RENEW" | "REPACK" | "TAKEOVER">): Lease => ({
  writer,
  bases,
  leaseSeconds
})

const mapOf = ({ bytes, map, mapSha256, packs }: SnapshotRecord.Of<"COMMIT" | "REPACK-END">) => ({
  map,
  mapSha256,
  bytes,
  packs
})

const whenOpen = (chain: SnapshotChain & { _tag: "Open" }, next: Record): SnapshotChain | undefined => {
  switch (next.state) {
    case "RENEW":
    case "TAKEOVER":
      return { ...chain, lease: leaseOf(next), last: next }
    case "COMMIT":
      return {
        _tag: "Committed",
        opened: chain.opened,
        commit: next,
        map: mapOf(next),
        repack: undefined,
        last: next
      }
    case "ABORT":
      return dead({ _tag: "Aborted" }, next)
    default:
      return undefined
  }
}

const whenCommitted = (chain: SnapshotChain & { _tag: "Committed" }, next: Record): SnapshotChain | undefined => {
  switch (next.state) {
    case "REPACK":
      return { ...chain, repack: leaseOf(next), last: next }
    case "RENEW":
      return chain.repack === undefined ? undefined : { ...chain, repack: leaseOf(next), last: next }
    case "REPACK-END":
      return chain.repack === undefined ? undefined : { ...chain, map: mapOf(next), repack: undefined, last: next }
    case "ABORT":
      return chain.repack === undefined ? undefined : { ...chain, repack: undefined, last: next }
    case "FORGET":
      return { _tag: "Forgotten", opened: chain.opened, commit: chain.commit, map: chain.map, last: next }
    default:
      return undefined
  }
}

const whenForgotten = (chain: SnapshotChain & { _tag: "Forgotten" }, next: Record): SnapshotChain | undefined => {
  if (next.state === "PRUNED") return dead({ _tag: "Pruned" }, next)
  if (next.state !== "COMMIT" || next.map !== chain.map.map) return undefined
  return { ...chain, _tag: "Committed", commit: next, map: mapOf(next), repack: undefined, last: next }
}

/** The chain with one more record; `undefined` if the record cannot follow. */
const step = (chain: SnapshotChain, next: Record): SnapshotChain | undefined => {
  switch (chain._tag) {
    case "Open":
      return whenOpen(chain, next)
    case "Committed":
      return whenCommitted(chain, next)
    case "Forgotten":
      return whenForgotten(chain, next)
    case "Dead":
      return { ...chain, last: next }
  }
}

const illegal = (chain: SnapshotChain, next: Record): Finding.Finding =>
  Finding.make({
    code: "store-record-corrupt",
    offset: 0,
    expected: `a record that can follow in a snapshot that is ${chain._tag.toLowerCase()}`,
    found: `${next.state} as record ${next.seq}`
  })

const begin = (first: Record | undefined): SnapshotChain => {
  if (first === undefined || first.seq !== 0) return dead({ _tag: "Missing", generation: 0 }, first)
  if (first.state !== "OPEN" || first.previousNonce !== null) return dead({ _tag: "Foreign", generation: 0 }, first)
  return { _tag: "Open", opened: first, lease: leaseOf(first), last: first }
}

/**
 * The state of a chain, from all of its records in the order of their numbers. Fails with `store-record-corrupt` for a
 * record that no writer appends in that state: such a chain is neither read nor deleted.
 *
 * @stability unstable
 * @category folding
 * @since 0.1.0
 */
export const fold = (records: ReadonlyArray<Record>): Result.Result<SnapshotChain, Finding.Finding> => {
  let chain = begin(records[0])
  for (const [index, next] of records.entries()) {
    if (index === 0) continue
    const previous = records[index - 1]
    if (chain._tag !== "Dead" && next.seq !== index) {
      chain = dead({ _tag: "Missing", generation: index }, next)
    } else if (chain._tag !== "Dead" && next.previousNonce !== previous?.nonce) {
      chain = dead({ _tag: "Foreign", generation: index }, next)
    } else {
      const after = step(chain, next)
      if (after === undefined) return Result.fail(illegal(chain, next))
      chain = after
    }
  }
  return Result.succeed(chain)
}
