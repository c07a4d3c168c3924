/**
 * What decoders are given as it is, and changed: bytes that a real QEMU sent and wrote (`test/fixtures`), as little of them as
 * has everything in it once, so that a change hits something.
 */
import * as Result from "effect/Result"
import * as Description from "../../../src/format/devices/Description.ts"
import * as DeviceState from "../../../src/format/devices/DeviceState.ts"
import * as MultifdInit from "../../../src/format/multifd/MultifdInit.ts"
import * as MigrationStream from "../../../src/format/stream/MigrationStream.ts"
import type { Piece } from "../../../src/format/image/ImageStream.ts"
import * as SocketStream from "../../../src/format/stream/SocketStream.ts"
import * as Bytes from "../bytes.ts"
import * as Captures from "../images/captures.ts"
import * as Devices from "../images/deviceFixtures.ts"
import * as Fixtures from "../wire/captured.ts"
import * as SparseFile from "../images/sparseFile.ts"

const PAGE = 4096

/** Bytes that arrive at once: so few that hardly more than one record is in each. */
const STEP = 512

const isPages = (event: SocketStream.Event): boolean =>
  event._tag === "Pages" || event._tag === "Zeros" || event._tag === "Changes"

/** Where the events of a main channel end, as far as it can be told: behind everything that one arrival brought. */
const eventEnds = (stream: Uint8Array): ReadonlyArray<{ readonly event: SocketStream.Event; readonly end: number }> => {
  const reader = SocketStream.make({ bufferSize: 2 * PAGE })
  const ends: Array<{ readonly event: SocketStream.Event; readonly end: number }> = []
  for (let at = 0; at < stream.length;) {
    const event = Result.getOrThrow(reader.next())
    if (event !== undefined) ends.push({ event, end: at - reader.rest().length })
    if (event?._tag === "RamEnd") break
    if (event !== undefined) continue
    const bytes = stream.subarray(at, at + STEP)
    const space = reader.space().subarray(0, bytes.length)
    space.set(bytes.subarray(0, space.length))
    reader.filled(space.length)
    at += space.length
  }
  return ends
}

/** Records of pages that are kept of each kind. */
const KEPT_RECORDS = 2

/** A main channel up to the end of RAM, without most of its pages. */
const shortMain = (name: Fixtures.Name): Uint8Array => {
  const stream = Fixtures.main(name)
  const parts: Array<Uint8Array> = []
  const kept = new Map<string, number>()
  let start = 0
  for (const { end, event } of eventEnds(stream)) {
    const count = kept.get(event._tag) ?? 0
    kept.set(event._tag, count + 1)
    if (!isPages(event) || count < KEPT_RECORDS) parts.push(stream.subarray(start, end))
    start = end
  }
  return Bytes.concat(...parts)
}

/** Main channels of all captures. */
export const mains: ReadonlyArray<Uint8Array> = [...Fixtures.withChannels, ...Fixtures.withoutChannels].map(shortMain)

/** What the captured senders of changes to pages sent. */
export const changes: ReadonlyArray<Uint8Array> = eventEnds(Fixtures.main("xbzrle"))
  .flatMap(({ event }) => (event._tag === "Changes" ? event.extents : []))
  .slice(0, 8)
  .map(({ bytes }) => bytes.slice())

/** Packets of captured channels: each method, with and without pages, and SYNC. */
const packets = (["none", "no-detection", "legacy", "zlib", "zstd"] as const).flatMap((name) => {
  const [first, , last] = Fixtures.packets(name, Fixtures.channels(name)[0]!)
  return [first, last].filter((packet) => packet !== undefined)
})

/** Their headers. */
export const packetHeaders: ReadonlyArray<Uint8Array> = packets.map(({ header }) => header.slice())

/** What begins each channel. */
export const inits: ReadonlyArray<Uint8Array> = Fixtures.channels("none").map((channel) =>
  channel.slice(0, MultifdInit.LENGTH)
)

/** The payloads of one channel's packets, with the pages that each gives. */
export const payloads = (name: "zlib" | "zstd") =>
  Fixtures.packets(name, Fixtures.channels(name)[0]!)
    .filter(({ payload }) => payload.length > 0)
    .map(({ packet, payload }) => ({ payload: payload.slice(), pages: packet.normal.length }))

/** Bytes of a device's data and of its description, at most: enough for structs in structs, arrays and subsections. */
const MAX_DATA = 256
const MAX_DESCRIBED = 2000
const KEPT_SECTIONS = 6

/** The ends of images, with few of their devices, and the description of those. */
const shortTail = (fixture: Devices.Fixture): Uint8Array => {
  const { description } = Devices.describedIn(fixture)
  const { footers } = fixture
  const describe = ({ instanceId, name }: DeviceState.DeviceSection) => Description.find(description, name, instanceId)!
  const sections = DeviceState.split(Devices.stateOf(fixture), description, { footers })
    .sections.filter((section) => section.data.length <= MAX_DATA)
    .filter((section) => JSON.stringify(describe(section)).length <= MAX_DESCRIBED)
    .toSorted((a, b) => b.data.length - a.data.length)
    .slice(0, KEPT_SECTIONS)
  const devices = sections.map(describe)
  const json = Description.encode({ ...description, devices })
  const state = DeviceState.encode(sections, { footers })
  return Bytes.concat(state, Bytes.hex("00"), MigrationStream.encodeDescriptionHeader(json.length), json)
}

/** Ends of images: whether they have footers, and the bytes behind RAM. */
export const tails = Devices.fixtures.map((fixture) => ({ footers: fixture.footers, bytes: shortTail(fixture) }))

/** Their descriptions alone, as JSON. */
export const descriptions: ReadonlyArray<Uint8Array> = tails.map(({ bytes }) =>
  bytes.slice(Buffer.from(bytes).indexOf('{"'))
)

/** A piece of a file: u32 position, u16 length, bytes. */
const framed = ({ bytes, position }: Piece): Uint8Array => {
  const head = Buffer.alloc(FRAME_BYTES)
  head.writeUInt32BE(position)
  head.writeUInt16BE(bytes.length, 4)
  return Bytes.concat(head, bytes)
}

const FRAME_BYTES = 6

/** Far enough for every capture, and near enough for searching through the holes between the pieces. */
const MAX_POSITION = 2 ** 26

/** The file of which these are the pieces. What makes no piece is left out. */
export const unframed = (bytes: Uint8Array): SparseFile.SparseFile => {
  const frames = Buffer.from(bytes)
  const pieces: Array<Piece> = []
  for (let at = 0; at + FRAME_BYTES < frames.length;) {
    const start = at + FRAME_BYTES
    const position = frames.readUInt32BE(at) % MAX_POSITION
    at = start + frames.readUInt16BE(at + 4)
    pieces.push({ position, bytes: bytes.subarray(start, at) })
  }
  return SparseFile.make(pieces)
}

/** Images of all captured forms, without bitmaps and pages, as pieces. */
export const images: ReadonlyArray<Uint8Array> = Object.values(Captures.heads).map((head, index) => {
  const { bytes: tail, footers } = tails[index % tails.length]!
  const end = [footers ? Captures.ramEnd : Captures.ramEndWithoutFooters, tail]
  const early =
    index === 1 ? [Captures.ramEnd.subarray(0, 13), Captures.earlySection, Captures.ramEnd.subarray(13), tail] : end
  return Bytes.concat(...[...head, { position: Captures.END, bytes: Bytes.concat(...early) }].map(framed))
})
