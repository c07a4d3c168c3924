/**
 * The description of the device state: JSON that lists the fields in the data of each device section. It follows the
 * stream, and QEMU never reads it.
 *
 * ```text
 *   … device sections │ 00 │ 06 │ u32 L │ 7b … 7d
 *                       │    │    │       └ L bytes of JSON, UTF-8, on one line, mostly the last in the file
 *                       │    │    └ bytes of JSON
 *                       │    └ description
 *                       └ end of the stream
 * ```
 *
 * Nothing in the file gives its position, and without it the length of a device section is unknown: `locate` searches
 * for it.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Parser } from "../Parser.ts"
import * as DeviceFields from "./DeviceFields.ts"
import type { SectionInput } from "./internal/deviceStateModel.ts"
import * as Finding from "../Finding.ts"
import { type Candidate, nextCandidate, Window } from "./internal/descriptionSearch.ts"
import { leadsTo, MAX_SECTIONS } from "./internal/sectionWalk.ts"

/**
 * Largest JSON that is read: 32 MiB. A virtual CPU takes about 6 KiB, so this is room for more than 4096 of them with
 * all their devices.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const MAX_JSON_BYTES: number = 32 * 1024 * 1024

/**
 * Deepest nesting of objects and arrays: 128. A struct inside a struct takes three levels, and QEMU's devices reach
 * about twenty.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const MAX_JSON_DEPTH: number = 128

/**
 * The content of the JSON, with its original keys.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Description {
  /** Bytes of a page. */
  readonly page_size?: number
  /** The configuration section. Its sizes are unreliable: for a list of names it has the size of the first one. */
  readonly configuration?: DeviceFields.Struct
  /** One entry for each FULL section of the stream, in order: early ones are included, RAM is not. */
  readonly devices: ReadonlyArray<DeviceFields.Device>
  readonly [key: string]: unknown
}

/**
 * Schema of {@link Description}. Unknown keys are kept.
 *
 * @stability unstable
 * @category schemas
 * @since 0.1.0
 */
export const Description: Schema.Codec<Description> = Schema.StructWithRest(
  Schema.Struct({
    page_size: Schema.optionalKey(Schema.Int),
    configuration: Schema.optionalKey(DeviceFields.Struct),
    devices: Schema.Array(DeviceFields.Device)
  }),
  [Schema.Record(Schema.String, Schema.Unknown)]
)

const decodeSchema = Schema.decodeUnknownResult(Description)
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/**
 * Decodes the JSON. Findings report `position` as the file offset. Fails with `description-unreadable`.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decode = (json: Uint8Array, position = 0): Result.Result<Description, Finding.Finding> => {
  const unreadable = (expected: string, found: string) => Result.fail(unreadableAt(position, expected, found))
  if (json.length > MAX_JSON_BYTES) return Result.fail(tooLong(position, json.length))
  const value = parseJson(json)
  if (value === undefined) return unreadable("JSON in UTF-8", `${json.length} bytes that are not`)
  if (!isShallow(value)) return unreadable(`up to ${MAX_JSON_DEPTH} levels`, "more")
  const decoded = decodeSchema(value)
  if (Result.isSuccess(decoded)) return Result.succeed(decoded.success)
  return unreadable("a description of devices", decoded.failure.message.replaceAll(/\s+/g, " ").slice(0, MAX_FOUND))
}

/** Most characters of malformed JSON that a finding quotes. */
const MAX_FOUND = 200

const unreadableAt = (offset: number, expected: string, found: string): Finding.Finding =>
  Finding.make({ code: "description-unreadable", offset, expected, found })

const tooLong = (offset: number, length: number): Finding.Finding =>
  unreadableAt(offset, `up to ${MAX_JSON_BYTES} bytes of JSON`, `${length} bytes`)

/** The value of a JSON text, which is never `undefined` itself. */
const parseJson = (json: Uint8Array): unknown => {
  try {
    return JSON.parse(utf8.decode(json))
  } catch {
    return undefined
  }
}

/** Walks level by level: recursion is the danger it guards against. */
const isShallow = (value: unknown): boolean => {
  let level = [value]
  for (let depth = 0; depth <= MAX_JSON_DEPTH; depth++) {
    if (level.length === 0) return true
    level = level.flatMap(children)
  }
  return false
}

const children = (value: unknown): Array<unknown> =>
  typeof value === "object" && value !== null ? Object.values(value) : []

/**
 * The JSON, on one line as QEMU writes it.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encode = (description: Description): Uint8Array => new TextEncoder().encode(JSON.stringify(description))

/**
 * The first device with this name and instance.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const find = (self: Description, name: string, instanceId: number): DeviceFields.Device | undefined =>
  self.devices.find((device) => device.name === name && device.instance_id >>> 0 === instanceId)

/**
 * The result of a search for the description. Positions are absolute.
 *
 * - `Found`: the description. `exact` means that the device sections, sized by it, lead from the start of the search
 *   exactly to `eof`. A description may be right without being exact, if QEMU wrote a wrong size.
 * - `Unreadable`: there is one, but it is not valid JSON or has the wrong shape.
 * - `CutShort`: one begins, but the input ends inside it.
 * - `Missing`: there is none, as with machine types that suppress it.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Located =
  | {
      readonly _tag: "Found"
      /** Position of the byte that ends the stream, after the last device section. */
      readonly eof: number
      /** Position of the JSON's first byte. */
      readonly jsonStart: number
      readonly jsonLength: number
      readonly description: Description
      readonly exact: boolean
    }
  | {
      readonly _tag: "Unreadable" | "CutShort"
      readonly eof: number
      readonly jsonStart: number
      /** The announced length. */
      readonly jsonLength: number
      readonly finding: Finding.Finding
    }
  | { readonly _tag: "Missing"; readonly finding: Finding.Finding }

/**
 * Searches for the description between the absolute positions `from` and `to`. `from` is the start of a section,
 * ideally the first after RAM's END.
 *
 * **Details**
 *
 * Total, and linear in the number of bytes searched. If several texts could be a description, an exact one wins, then
 * one that ends with the input, then the first.
 *
 * **Example** (Device state in memory)
 *
 * ```ts
 * import { Parser, Description } from "effect-multifd/format"
 *
 * const json = Description.encode({ devices: [] })
 * const bytes = new Uint8Array([0, 6, 0, 0, 0, json.length, ...json])
 * const located = Parser.runSync(Description.locate({ from: 0, to: bytes.length }), bytes)
 * located._tag // => "Found"
 * ```
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export function* locate(options: { readonly from: number; readonly to: number }): Parser<Located> {
  const { from, to } = options
  const window = new Window(to)
  const budget = { sections: MAX_SECTIONS }
  let best: Located = missing(to)
  let at = from
  for (;;) {
    const candidate = yield* nextCandidate(window, at, MAX_JSON_BYTES)
    if (candidate === undefined) return best
    const located = judge(candidate)
    if (located._tag === "Found" && (yield* leadsTo(from, located.eof, located.description.devices, budget))) {
      return { ...located, exact: true }
    }
    if (rank(located, to) > rank(best, to)) best = located
    at = candidate.end
  }
}

const missing = (to: number): Located => {
  const expected = "a description after the device state"
  return {
    _tag: "Missing",
    finding: Finding.make({ code: "description-missing", offset: to, expected, found: "none" })
  }
}

const judge = (candidate: Candidate): Located => {
  const { end, eof, jsonLength, text } = candidate
  const jsonStart = eof + 6
  const place = { eof, jsonStart, jsonLength }
  const present = end - jsonStart
  if (present < jsonLength) {
    const [expected, found] = [`${jsonLength} bytes of JSON`, `${present} bytes`]
    const finding = Finding.make({ code: "description-cut", offset: jsonStart, expected, found })
    return { _tag: "CutShort", ...place, finding }
  }
  const decoded = jsonLength > MAX_JSON_BYTES ? Result.fail(tooLong(jsonStart, jsonLength)) : decode(text, jsonStart)
  if (Result.isFailure(decoded)) return { _tag: "Unreadable", ...place, finding: decoded.failure }
  return { _tag: "Found", ...place, description: decoded.success, exact: false }
}

/** Ranks the candidates for the description. */
const rank = (located: Located, to: number): number => {
  if (located._tag === "Missing") return 0
  if (located._tag !== "Found") return 1
  return located.jsonStart + located.jsonLength === to ? 3 : 2
}

/**
 * Describes device sections that do not come from QEMU, so that `locate` and `DeviceState.split` can find their way
 * through them. Returns the JSON, ready to be written. A section without fields is described as one buffer named
 * `data`.
 *
 * **Example** (A section of 64 bytes)
 *
 * ```ts
 * import { Description } from "effect-multifd/format"
 *
 * const json = Description.describe([{ name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(64) }])
 * new TextDecoder().decode(json) // => '{"devices":[{"name":"cpu","instance_id":0,…
 * ```
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const describe = (sections: ReadonlyArray<SectionInput>): Uint8Array =>
  encode({ devices: sections.map(describeSection) })

const describeSection = ({ data, fields, instanceId, name, version }: SectionInput): DeviceFields.Device => ({
  name,
  instance_id: instanceId,
  vmsd_name: name,
  version,
  fields: fields ?? [{ name: "data", type: "buffer", size: data.length }]
})
