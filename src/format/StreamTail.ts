/**
 * What follows RAM in an image: the device state, and where it ends.
 *
 * ```text
 *   RAM's END │ 04 FULL … 7e │ 04 FULL … 7e │ 00 │ 06 L JSON │
 *             ▲                               ▲              ▲
 *             from                            state ends     stream ends, at `to` or before
 * ```
 *
 * The device state has no length. The description behind it says where it ends; without one (QEMU loads such a file as
 * well) it can only end where the input does, and has to look like it.
 *
 * @since 0.1.0
 */
import type { Parser } from "./Demand.ts"
import * as Description from "./Description.ts"
import * as Finding from "./Finding.ts"
import type { ByteRange } from "./ImageStream.ts"
import { SectionType } from "./MigrationStream.ts"

/**
 * The end of a migration stream.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamTail {
  /** The device sections, without the byte that ends the stream. */
  readonly deviceState: ByteRange
  /** The JSON text; of length 0 where there is none that is whole. */
  readonly description: ByteRange
  /** What the JSON says. */
  readonly described: Description.Description | undefined
  /** Behind the last byte of the stream. */
  readonly end: number
  readonly findings: ReadonlyArray<Finding.Finding>
}

/**
 * Finds the end of the stream whose RAM ends at `from`; nothing of it lies at `to` or behind.
 *
 * **Details**
 *
 * Total. Codes `description-wrong`, `description-unreadable`, `description-cut` and `description-missing` are warnings, as
 * QEMU loads such an image; `device-state-cut` is an error.
 *
 * @category decoding
 * @since 0.1.0
 */
export function* parse(options: {
  readonly from: number
  readonly to: number
  /** Whether sections end with a footer, as everywhere but in old machine types. */
  readonly footers: boolean
}): Parser<StreamTail> {
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
    found: "sizes that do not lead to the end of the stream"
  })

/** The last bytes of a stream are looked for in this many: files may be padded to whole blocks of a disk. */
const PADDING_BYTES = 64 * 1024

/** Footer type, section id, end of the stream. */
const LAST_BYTES = 6

function* undescribed(
  { footers, from, to }: { readonly from: number; readonly to: number; readonly footers: boolean },
  missing: Finding.Finding
): Parser<StreamTail> {
  const position = Math.max(from, to - PADDING_BYTES)
  const bytes = position < to ? yield { position, length: to - position } : new Uint8Array(0)
  const last = endOfStream(bytes, position === from, footers)
  const stateEnd = last === undefined ? to : position + last
  const end = last === undefined ? to : stateEnd + 1
  const findings = last === undefined ? [missing, cut(to)] : [missing]
  const deviceState = { position: from, length: stateEnd - from }
  return { deviceState, description: nothing(end), described: undefined, end, findings }
}

const cut = (offset: number): Finding.Finding =>
  Finding.make({
    code: "device-state-cut",
    offset,
    expected: "the end of the stream behind the last device section",
    found: "the end of the file"
  })

/** Where the byte that ends the stream stands, if the bytes end like a stream, give or take zeros behind it. */
const endOfStream = (bytes: Uint8Array, whole: boolean, footers: boolean): number | undefined => {
  const zeros = bytes.length - (bytes.findLastIndex((byte) => byte !== 0) + 1)
  const at = bytes.length - zeros
  if (zeros === 0) return undefined
  if (at === 0) return whole ? 0 : undefined
  const footer = at + 1 >= LAST_BYTES && bytes[at - (LAST_BYTES - 1)] === SectionType.footer
  return !footers || footer ? at : undefined
}
