/**
 * The part of an image that follows RAM: the device state, and its end.
 *
 * ```text
 *   RAM's END │ 04 FULL … 7e │ 04 FULL … 7e │ 00 │ 06 L JSON │
 *             ▲                               ▲              ▲
 *             from                            state ends     stream ends, at `to` or before
 * ```
 *
 * The device state has no length. The description after it gives its end. Without a description (QEMU loads such a file
 * as well) the footers of its sections do.
 *
 * @since 0.1.0
 */
import type { Parser } from "../Parser.ts"
import * as Description from "../devices/Description.ts"
import * as Finding from "../Finding.ts"
import type { ByteRange } from "./ImageStream.ts"
import { type FooterWalk, walkFooters } from "./internal/footerWalk.ts"
import { SectionType } from "../stream/MigrationStream.ts"

/**
 * The end of a migration stream.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface StreamTrailer {
  /** The device sections, without the byte that ends the stream. */
  readonly deviceState: ByteRange
  /** The JSON text; of length 0 if there is no complete one. */
  readonly description: ByteRange
  /** The decoded description. */
  readonly described: Description.Description | undefined
  /** The end of the stream. */
  readonly end: number
  readonly findings: ReadonlyArray<Finding.Finding>
}

/**
 * Finds the end of the stream whose RAM ends at `from`; no part of it is at `to` or later.
 *
 * **Details**
 *
 * Total. Codes `description-wrong`, `description-unreadable`, `description-cut` and `description-missing` are warnings,
 * because QEMU loads such an image; `device-state-cut` and `section-unexpected` are errors.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export function* parse(options: {
  readonly from: number
  readonly to: number
  /** `true` if sections end with a footer, as in all but old machine types. */
  readonly footers: boolean
}): Parser<StreamTrailer> {
  const { from } = options
  const located = yield* Description.locate(options)
  if (located._tag === "Missing") return yield* undescribed(options, located.finding)
  const { eof, jsonLength, jsonStart } = located
  const deviceState = { position: from, length: eof - from }
  const description = { position: jsonStart, length: jsonLength }
  if (located._tag === "Found") {
    const { description: described, exact } = located
    const findings = exact ? [] : [wrong(jsonStart)]
    return { deviceState, description, described, end: jsonStart + jsonLength, findings }
  }
  const end = Math.min(jsonStart + jsonLength, options.to)
  return { deviceState, description: nothing(jsonStart), described: undefined, end, findings: [located.finding] }
}

const nothing = (position: number): ByteRange => ({ position, length: 0 })

const wrong = (offset: number): Finding.Finding =>
  Finding.make({
    code: "description-wrong",
    offset,
    expected: "the sizes of all device sections",
    found: "sizes that miss the end of the stream"
  })

/** Without a description, the footers of the sections show where each ends. */
function* undescribed(
  { footers, from, to }: { readonly from: number; readonly to: number; readonly footers: boolean },
  missing: Finding.Finding
): Parser<StreamTrailer> {
  const walk = yield* footers ? walkFooters({ from, to }) : lastByte(from, to)
  const stateEnd = walk._tag === "End" ? walk.position : to
  const end = walk._tag === "End" ? stateEnd + 1 : to
  const findings = walk._tag === "End" ? [yield* withoutText(end, to, missing)] : [unended(walk, to)]
  const deviceState = { position: from, length: stateEnd - from }
  return { deviceState, description: nothing(end), described: undefined, end, findings }
}

/** In streams of old machine types, only its position distinguishes the byte that ends the stream from device data. */
function* lastByte(from: number, to: number): Parser<FooterWalk> {
  const position = Math.max(from, to - 1)
  const [last] = yield { position, length: 1 }
  return position < to && last === SectionType.endOfStream
    ? { _tag: "End", position }
    : { _tag: "Cut", inside: undefined }
}

/** A fragment too short to be recognised as a description still counts as one that was cut. */
function* withoutText(end: number, to: number, missing: Finding.Finding): Parser<Finding.Finding> {
  const [type] = yield { position: end, length: 1 }
  if (end >= to || type !== SectionType.description) return missing
  const [expected, found] = ["a description after the device state", "only its beginning"]
  return Finding.make({ code: "description-cut", offset: end, expected, found })
}

const unended = (walk: Exclude<FooterWalk, { readonly _tag: "End" }>, to: number): Finding.Finding => {
  const expected = "device sections up to the end of the stream"
  if (walk._tag === "Stray") {
    return Finding.make({ code: "section-unexpected", offset: walk.position, expected, found: "something else" })
  }
  const where = walk.inside === undefined ? "" : ` inside section "${walk.inside}"`
  return Finding.make({ code: "device-state-cut", offset: to, expected, found: `the end of the file${where}` })
}
