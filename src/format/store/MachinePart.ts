/**
 * The device part of a map: everything of a machine that is not RAM, byte for byte. All numbers are little-endian.
 *
 * ```text
 *    0   8  "MFDsMach"                    8  u32  version 1
 *   12  u32  bytes of the facts          16  u32  bytes of the prelude       20  u32  bytes of the early sections
 *   24  u32  bytes of the device state   28  u32  bytes of the description
 *   32   …  facts, prelude, early sections, device state, description
 *
 *   facts  {"blocks":[{"idstr":…,"address":…,"ignored":…}],"configuration":{…}|null,"footers":…,"notes":{…},
 *           "ramSectionId":…,"switchoverStart":…}, canonical JSON
 * ```
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Buffer } from "node:buffer"
import type * as Finding from "../Finding.ts"
import { ImageNotes } from "../seal/ImageNotes.ts"
import type { Configuration } from "../stream/MigrationStream.ts"
import * as CanonicalJson from "./internal/canonicalJson.ts"
import { found, oneLine } from "./internal/findings.ts"

const MAGIC = Buffer.from("MFDsMach", "latin1")
const VERSION = 1
const HEADER_BYTES = 32

const Natural = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
const Facts = Schema.Struct({
  blocks: Schema.Array(
    Schema.Struct({
      idstr: Schema.String,
      address: Schema.optionalKey(Natural),
      ignored: Schema.optionalKey(Schema.Boolean)
    })
  ),
  configuration: Schema.NullOr(
    Schema.Struct({
      machine: Schema.String,
      targetPageBits: Schema.optionalKey(Schema.Int),
      capabilities: Schema.Array(Schema.String),
      uuid: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^[0-9a-f]{32}$/)))
    })
  ),
  footers: Schema.Boolean,
  notes: ImageNotes,
  ramSectionId: Natural,
  switchoverStart: Schema.Boolean
})

/**
 * A machine's state.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface MachinePart {
  readonly configuration: Configuration | undefined
  readonly prelude: Uint8Array
  readonly early: Uint8Array
  readonly switchoverStart: boolean
  readonly footers: boolean
  readonly ramSectionId: number
  readonly deviceState: Uint8Array
  readonly description: Uint8Array
  /** Facts about the blocks of the map besides name and length. */
  readonly blocks: (typeof Facts.Type)["blocks"]
  readonly notes: ImageNotes
}

const configurationFact = ({ uuid, ...configuration }: Configuration) => ({
  ...configuration,
  ...(uuid === undefined ? {} : { uuid: Buffer.from(uuid).toString("hex") })
})

/**
 * The bytes of a machine's state.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encode = ({
  deviceState,
  description,
  early,
  prelude,
  configuration,
  ...facts
}: MachinePart): Uint8Array => {
  const json = CanonicalJson.toBytes({
    ...facts,
    configuration: configuration === undefined ? null : configurationFact(configuration)
  })
  const parts = [json, prelude, early, deviceState, description]
  const header = Buffer.alloc(HEADER_BYTES)
  header.set(MAGIC)
  header.writeUInt32LE(VERSION, 8)
  parts.forEach(({ length }, index) => header.writeUInt32LE(length, 12 + 4 * index))
  return new Uint8Array(Buffer.concat([header, ...parts]))
}

const corrupt = (offset: number, expected: string, actual: string) =>
  found("store-map-corrupt", offset, expected, actual)

const decodeFacts = Schema.decodeUnknownResult(Facts)

const configurationOf = (fact: (typeof Facts.Type)["configuration"]): Configuration | undefined => {
  if (fact === null) return undefined
  const { uuid, ...rest } = fact
  return uuid === undefined ? rest : { ...rest, uuid: new Uint8Array(Buffer.from(uuid, "hex")) }
}

/**
 * Reads a machine's state. Fails with `store-map-corrupt` or `store-version-unsupported`.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decode = (bytes: Uint8Array): Result.Result<MachinePart, Finding.Finding> => {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (head.length < HEADER_BYTES || !head.subarray(0, 8).equals(MAGIC)) {
    return corrupt(0, "the state of a machine", `${bytes.length} other bytes`)
  }
  const version = head.readUInt32LE(8)
  if (version !== VERSION) return found("store-version-unsupported", 8, `version ${VERSION}`, `version ${version}`)
  const lengths = [0, 1, 2, 3, 4].map((index) => head.readUInt32LE(12 + 4 * index))
  const total = lengths.reduce((sum, length) => sum + length, HEADER_BYTES)
  if (total !== bytes.length)
    return corrupt(12, `parts of ${bytes.length - HEADER_BYTES} bytes`, `${total - HEADER_BYTES}`)
  let at = HEADER_BYTES
  const [json, prelude, early, deviceState, description] = lengths.map((length) => bytes.slice(at, (at += length)))
  const none = new Uint8Array(0)
  const facts = decodeFacts(CanonicalJson.fromBytes(json ?? none), { onExcessProperty: "error" })
  if (Result.isFailure(facts)) return corrupt(HEADER_BYTES, "the facts of a machine", oneLine(facts.failure.message))
  return Result.succeed({
    ...facts.success,
    configuration: configurationOf(facts.success.configuration),
    prelude: prelude ?? none,
    early: early ?? none,
    deviceState: deviceState ?? none,
    description: description ?? none
  })
}
