/**
 * Main channels, read in pieces and made up.
 */
import * as Result from "effect/Result"
import type { Finding } from "../../../src/format/Finding.ts"
import type * as MigrationStream from "../../../src/format/stream/MigrationStream.ts"
import * as SocketSections from "../../../src/format/stream/SocketSections.ts"
import * as SocketStream from "../../../src/format/stream/SocketStream.ts"
import { concat } from "../bytes.ts"

/** What came out of a reader: events with copies of their bytes, and what was wrong. */
export interface Outcome {
  readonly events: ReadonlyArray<SocketStream.Event>
  readonly finding: Finding | undefined
  readonly rest: Uint8Array
}

const keep = (event: SocketStream.Event): SocketStream.Event =>
  event._tag === "Pages" || event._tag === "Changes"
    ? { ...event, extents: event.extents.map(({ bytes, offset }) => ({ offset, bytes: bytes.slice() })) }
    : event

/** How the bytes arrive. */
export interface Arrival extends NonNullable<Parameters<typeof SocketStream.make>[0]> {
  /** Bytes at a time. Default: as many as there is room for. */
  readonly chunk?: number
  /** Whether the peer ends the connection behind the last byte. Default `true`. */
  readonly ends?: boolean
  readonly onEvent?: (event: SocketStream.Event) => void
}

/** Reads a stream until there is no more to come of it. */
export const read = (stream: Uint8Array, arrival: Arrival = {}): Outcome => {
  const { chunk = Infinity, ends = true, onEvent } = arrival
  const reader = SocketStream.make(arrival)
  const events: Array<SocketStream.Event> = []
  let at = 0
  let isOver = false
  for (;;) {
    const step = reader.next()
    if (Result.isFailure(step)) return { events, finding: step.failure, rest: reader.rest() }
    const event = step.success
    if (event !== undefined) {
      onEvent?.(event)
      events.push(keep(event))
    }
    if (event?._tag === "RamEnd" || (event === undefined && isOver)) {
      return { events, finding: undefined, rest: concat(reader.rest(), stream.subarray(at)) }
    }
    if (event !== undefined) continue
    if (at < stream.length) {
      const space = reader.space()
      const count = Math.min(space.length, chunk, stream.length - at)
      space.set(stream.subarray(at, at + count))
      reader.filled(count)
      at += count
    } else {
      if (ends) reader.ended()
      isOver = true
    }
  }
}

/** Names of what was read, with what tells them apart. */
export const tags = ({ events }: Outcome): ReadonlyArray<string> =>
  events.map((event) => {
    if (event._tag === "Command") return event.command
    return event._tag === "SectionEnd" ? event.section : event._tag
  })

export const configuration: MigrationStream.Configuration = { machine: "pc-i440fx-10.0", capabilities: [] }

/** 16 pages of 4 KiB, and one of another block. */
export const blocks: ReadonlyArray<SocketStream.AnnouncedBlock> = [
  { idstr: "pc.ram", usedLength: 65536 },
  { idstr: "pc.bios", usedLength: 4096 }
]

/** What a main channel is made of, piece by piece; all of it by default. */
export interface Parts {
  readonly head?: Uint8Array
  readonly start?: Uint8Array
  /** What stands behind START. */
  readonly early?: Uint8Array
  /** The records of a PART. */
  readonly records?: Uint8Array
  readonly part?: Uint8Array
  readonly end?: Uint8Array
}

const SECTION_ID = 2

const ending = { sectionId: SECTION_ID }

/** A main channel up to the end of RAM. */
export const make = (parts: Parts = {}): Uint8Array => {
  const { early = new Uint8Array(0), records = new Uint8Array(0) } = parts
  const { encodeClose, encodeHead, encodeOpen, encodeStart } = SocketSections
  return concat(
    parts.head ?? encodeHead({ configuration }),
    parts.start ?? encodeStart({ ...ending, blocks }),
    early,
    parts.part ?? concat(encodeOpen("part", SECTION_ID), records, encodeClose(ending)),
    parts.end ?? concat(encodeOpen("end", SECTION_ID), encodeClose(ending))
  )
}

/** RAM's START with these records in the place of the list of blocks. */
export const startWith = (records: Uint8Array): Uint8Array => {
  const start = SocketSections.encodeStart({ ...ending, blocks: [] })
  return concat(start.subarray(0, 17), records, start.subarray(25))
}
