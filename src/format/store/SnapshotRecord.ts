/**
 * The records of a snapshot's chain: canonical JSON (sorted keys, no spaces) of at most 4 KiB each, written once,
 * numbered from 0.
 *
 * ```text
 *   0 OPEN ─▶ RENEW … ─▶ TAKEOVER … ─▶ COMMIT ─▶ FORGET ─▶ PRUNED
 *                │                        │  ▲        │
 *                └─▶ ABORT                │  └────────┘ COMMIT again: unforget
 *                                         └─▶ REPACK ─▶ RENEW … ─▶ REPACK-END | ABORT
 * ```
 *
 * Each names the nonce of the previous one, so that a late repetition of another record never continues a chain.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Finding from "../Finding.ts"
import * as CanonicalJson from "./internal/canonicalJson.ts"
import { found, oneLine } from "./internal/findings.ts"
import * as StoreId from "./StoreId.ts"

/**
 * Bytes of the longest record, not sealed.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const MAX_BYTES = 4096

const Id = Schema.String.check(Schema.isPattern(StoreId.pattern))
const Natural = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
const Sha256 = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/))
const MapName = Schema.String.check(Schema.isPattern(/^map\/[0-9a-z]{26}\/[0-9a-z]{26}-(0|[1-9][0-9]{0,9})$/))
const Seconds = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 7 * 24 * 3600 }))
const Labels = Schema.Record(Schema.String, Schema.String)

const common = {
  /** The number of the record in its chain. */
  seq: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 32 - 1 })),
  snapshot: Id,
  /** The name of the machine. */
  vm: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(255)),
  /** Milliseconds since 1970 by the writer's clock. It decides nothing. */
  at: Natural,
  writer: Id,
  nonce: Id,
  previousNonce: Schema.NullOr(Id)
}

const lease = {
  /** The maps whose pages the writer refers to. */
  bases: Schema.Array(MapName).check(Schema.isMaxLength(16)),
  leaseSeconds: Seconds
}

const content = {
  /** The newest map, its SHA-256, and how many bytes and packs were written for it. */
  map: MapName,
  mapSha256: Sha256,
  bytes: Natural,
  packs: Natural
}

const Former = Schema.Struct({
  /** The run state of the machine before the capture, in QEMU's words. */
  runState: Schema.String,
  /** Settings that the capture changes, with their values before. */
  settings: Schema.Record(Schema.String, Schema.Union([Schema.Boolean, Schema.Finite, Schema.String]))
})

const Machine = Schema.Struct({
  /** Blocks with their lengths in bytes. */
  blocks: Schema.Array(Schema.Struct({ idstr: Schema.String, usedLength: Natural })),
  /** The versioned machine type, and the QEMU that it ran in. */
  machine: Schema.NullOr(Schema.String),
  qemu: Schema.NullOr(Schema.String)
})

const record = <State extends string, Fields extends Schema.Struct.Fields>(state: State, fields: Fields) =>
  Schema.Struct({ state: Schema.tag(state), ...common, ...fields })

const Open = record("OPEN", { ...lease, former: Schema.optionalKey(Former) })
const Renew = record("RENEW", lease)
const Takeover = record("TAKEOVER", lease)
const Repack = record("REPACK", lease)
const Commit = record("COMMIT", {
  ...content,
  /** SHA-256 of the digests of all pages, zero pages left out, in order: equal for equal memory. */
  memoryDigest: Sha256,
  labels: Labels,
  parent: Schema.NullOr(Id),
  image: Machine
})
const RepackEnd = record("REPACK-END", content)
const Abort = record("ABORT", {})
const Forget = record("FORGET", {})
const Pruned = record("PRUNED", {})

/**
 * Schema of {@link SnapshotRecord}.
 *
 * @stability unstable
 * @category schemas
 * @since 0.1.0
 */
export const SnapshotRecord = Schema.Union([Open, Renew, Takeover, Commit, Repack, RepackEnd, Abort, Forget, Pruned])

/**
 * A record.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type SnapshotRecord = typeof SnapshotRecord.Type

/**
 * The states of a record.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type State = SnapshotRecord["state"]

/**
 * The record of one state.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Of<S extends State> = Extract<SnapshotRecord, { readonly state: S }>

const decodeSchema = Schema.decodeUnknownResult(SnapshotRecord)

/**
 * Encodes a record. Fails with `store-record-corrupt` for one that has no room for its labels, or breaks the schema.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encode = (value: SnapshotRecord): Result.Result<Uint8Array, Finding.Finding> => {
  const bytes = CanonicalJson.toBytes(value)
  return Result.map(decode(bytes), () => bytes)
}

const corrupt = (expected: string, actual: string) => found("store-record-corrupt", 0, expected, actual)

/**
 * Reads a record. Fails with `store-record-corrupt`.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decode = (bytes: Uint8Array): Result.Result<SnapshotRecord, Finding.Finding> => {
  if (bytes.length > MAX_BYTES) return corrupt(`at most ${MAX_BYTES} bytes`, `${bytes.length} bytes`)
  const value = CanonicalJson.fromBytes(bytes)
  if (value === undefined) return corrupt("canonical JSON", `${bytes.length} bytes that are not`)
  const decoded = decodeSchema(value, { onExcessProperty: "error" })
  return Result.isSuccess(decoded)
    ? Result.succeed(decoded.success)
    : corrupt("a record", oneLine(decoded.failure.message))
}
