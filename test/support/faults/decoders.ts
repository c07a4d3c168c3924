/**
 * Everything that reads bytes of a file or a peer, each with bytes that it understands. A decoder says what is wrong with its
 * input, in a way of its own; here it is held to all that it promises besides, and throws where it breaks one.
 */
import * as Result from "effect/Result"
import * as Description from "../../../src/format/devices/Description.ts"
import type * as Parser from "../../../src/format/Parser.ts"
import * as DeviceFields from "../../../src/format/devices/DeviceFields.ts"
import * as DeviceState from "../../../src/format/devices/DeviceState.ts"
import * as DeviceStatePacket from "../../../src/format/multifd/DeviceStatePacket.ts"
import * as ImageChecks from "../../../src/format/image/ImageChecks.ts"
import * as ImageNotes from "../../../src/format/seal/ImageNotes.ts"
import * as ImageSeal from "../../../src/format/seal/ImageSeal.ts"
import * as ImageStream from "../../../src/format/image/ImageStream.ts"
import * as LibvirtSave from "../../../src/format/image/LibvirtSave.ts"
import * as MachineType from "../../../src/format/stream/MachineType.ts"
import * as MappedRam from "../../../src/format/image/MappedRam.ts"
import * as MigrationStream from "../../../src/format/stream/MigrationStream.ts"
import * as MultifdInit from "../../../src/format/multifd/MultifdInit.ts"
import * as MultifdPacket from "../../../src/format/multifd/MultifdPacket.ts"
import * as PageDigests from "../../../src/format/seal/PageDigests.ts"
import * as PartialSeal from "../../../src/format/seal/PartialSeal.ts"
import * as ReturnPath from "../../../src/format/stream/ReturnPath.ts"
import * as SealMark from "../../../src/format/seal/SealMark.ts"
import { Extents } from "../../../src/format/seal/SealedExtents.ts"
import * as StreamTrailer from "../../../src/format/image/StreamTrailer.ts"
import * as Xbzrle from "../../../src/format/stream/Xbzrle.ts"
import * as MigrationUri from "../../../src/io/sockets/MigrationUri.ts"
import { StateEnd } from "../../../src/multifd/internal/stateEnd.ts"
import * as Message from "../../../src/qemu/internal/message.ts"
import * as ObjectSplitter from "../../../src/qemu/internal/objectSplitter.ts"
import * as PageBitmap from "../../../src/ram/PageBitmap.ts"
import * as Bytes from "../bytes.ts"
import * as Captures from "../images/captures.ts"
import * as Streams from "../wire/socketStreams.ts"
import * as SparseFile from "../images/sparseFile.ts"
import * as Seeds from "./seeds.ts"

const PAGE = 4096

/** What is wrong with an input. */
export interface Problem {
  readonly expected: string
  readonly found: string
}

/** Something that reads bytes. */
export interface Decoder {
  readonly name: string
  /** Inputs that it understands, or nearly. */
  readonly seeds: ReadonlyArray<Uint8Array>
  /** How many of ten thousand cases it gets. */
  readonly share: number
  /** Nothing, where all is well. */
  readonly decode: (bytes: Uint8Array) => ReadonlyArray<Problem>
}

const problemOf = (...results: ReadonlyArray<Result.Result<unknown, Problem>>): ReadonlyArray<Problem> =>
  results.flatMap((result) => (Result.isFailure(result) ? [result.failure] : []))

/** Runs a parser over bytes and counts what it asks for. */
const run = <A>(parser: Parser.Parser<A>, bytes: Uint8Array): A => SparseFile.run(parser, SparseFile.fromBytes(bytes))

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1")

/** The values of all sections of a device state, as far as a description goes. */
const fieldsOf = (
  sections: ReadonlyArray<DeviceState.DeviceSection>,
  description: Description.Description | undefined
): ReadonlyArray<Problem> =>
  sections.flatMap((section) => {
    const device = description && Description.find(description, section.name, section.instanceId)
    return device === undefined ? [] : problemOf(DeviceState.decode(section, device))
  })

/** Bytes of device state that are taken apart; it may be a hole of gigabytes. */
const MAX_STATE = 64 * 1024

const tailOf = (file: SparseFile.SparseFile, from: number, footers: boolean): ReadonlyArray<Problem> => {
  const tail = SparseFile.run(StreamTrailer.parse({ from, to: file.size, footers }), file)
  const { position } = tail.deviceState
  const state = SparseFile.read(file, position, Math.min(tail.deviceState.length, MAX_STATE))
  const split = DeviceState.split(state, tail.described, { position, footers })
  return [...tail.findings, ...split.findings, ...fieldsOf(split.sections, tail.described)]
}

const imageOf = (bytes: Uint8Array): ReadonlyArray<Problem> => {
  const file = Seeds.unframed(bytes)
  const image = SparseFile.run(ImageStream.parse({ start: 0, fileSize: file.size }), file)
  const findings = [...image.findings, ...ImageChecks.checkRegions({ image, fileSize: file.size })]
  return image.stateStart === undefined ? findings : [...findings, ...tailOf(file, image.stateStart, image.footers)]
}

/** What an event comes to, however the pages were gathered. */
const summaryOf = ({ events, finding }: Streams.Outcome) => {
  const bytes = { Pages: 0, Changes: 0, Zeros: 0 }
  const others: Array<string> = []
  for (const event of events) {
    if (event._tag === "Pages" || event._tag === "Changes") {
      for (const extent of event.extents) bytes[event._tag] += extent.bytes.length
    } else if (event._tag === "Zeros") for (const extent of event.extents) bytes.Zeros += extent.length
    else others.push(event._tag === "EarlySection" ? `${event._tag} ${event.bytes.length}` : JSON.stringify(event))
  }
  return JSON.stringify({ bytes, others, finding })
}

/** A divisor of the length of everything that was sent, so that cases differ in how it arrives. */
const CHUNKS = [1, 2, 9, 100, 1000, 5000]

/** Reads a main channel twice: all at once, and in small pieces into a small buffer. */
const mainOf = (bytes: Uint8Array): ReadonlyArray<Problem> => {
  const limits = { maxHeld: 1024, maxBlocks: 8 }
  const chunk = CHUNKS[bytes.length % CHUNKS.length]!
  const whole = Streams.read(bytes, { limits, bufferSize: 16 * 1024 })
  const pieces = Streams.read(bytes, { limits, bufferSize: 64, chunk })
  const [expected, found] = [whole, pieces].map(summaryOf)
  if (expected !== found) throw new Error(`in pieces of ${chunk} bytes: expected ${expected}, found ${found}`)
  return whole.finding === undefined ? [] : [whole.finding]
}

const shapes = new Map([["ram", { idstr: "ram", usedLength: 1024 * 1024, pageSize: PAGE }]])

const packetOf = (header: Uint8Array): ReadonlyArray<Problem> => {
  const prologue = MultifdPacket.decodePrologue(header)
  if (Result.isFailure(prologue)) return [prologue.failure]
  const { flags, kind } = prologue.success
  if (kind === "device-state") return problemOf(DeviceStatePacket.decode(header, { maxPayload: PAGE }))
  const method = flags & 0x3e
  const packet = MultifdPacket.decodeRam(header, { pageSize: PAGE, method })
  if (Result.isFailure(packet)) return [packet.failure]
  const pages = MultifdPacket.checkPages(packet.success, shapes.get(packet.success.idstr))
  const number = MultifdPacket.checkNumber(packet.success, 7)
  return [pages, number].filter((finding) => finding !== undefined)
}

/** That of all captured guests. */
const UUID = Bytes.hex("00112233 4455 6677 8899 aabbccddeeff")

const initOf = (bytes: Uint8Array): ReadonlyArray<Problem> => {
  const init = MultifdInit.decode(bytes)
  if (Result.isFailure(init)) return [init.failure]
  const wrong = MultifdInit.check(init.success, { channels: 2, uuid: UUID, isTaken: (id) => id === 1 })
  return wrong === undefined ? [] : [wrong]
}

const returnPathOf = (bytes: Uint8Array): ReadonlyArray<Problem> => {
  for (let at = 0; at < bytes.length;) {
    const header = ReturnPath.decodeHeader(bytes.subarray(at), at)
    if (Result.isFailure(header)) return [header.failure]
    const body = ReturnPath.decodeBody(header.success, bytes.subarray(at + ReturnPath.HEADER_LENGTH), at)
    if (Result.isFailure(body)) return [body.failure]
    at += ReturnPath.HEADER_LENGTH + header.success.length
  }
  return []
}

const guard = Buffer.alloc(PAGE, 0x5a)

/** Applies changes to a page between two that have to stay as they are. */
const xbzrleOf = (bytes: Uint8Array): ReadonlyArray<Problem> => {
  const memory = new Uint8Array(Buffer.concat([guard, guard, guard]))
  const page = memory.subarray(PAGE, 2 * PAGE)
  const decoded = Xbzrle.decode(page.slice(), bytes, page)
  const around = [memory.subarray(0, PAGE), memory.subarray(2 * PAGE)]
  if (!around.every((side) => guard.equals(side))) throw new Error("written outside of the page")
  return problemOf(decoded)
}

/** Extents of what a seal says of its blocks, where it is nothing that would have to be compared with an image first. */
const sealOf = (bytes: Uint8Array): ReadonlyArray<Problem> => {
  const seal = ImageSeal.decode(bytes, 0)
  if (Result.isSuccess(seal) && Result.isFailure(ImageSeal.decodeHead(bytes, 0))) throw new Error("no head")
  if (Result.isFailure(seal)) return [seal.failure]
  const { algorithm, extentSize } = seal.success
  for (const shape of seal.success.blocks) {
    if (shape.pageSize !== PAGE || shape.usedLength === 0 || shape.usedLength % PAGE !== 0) continue
    const bitmap = PageBitmap.make(shape.usedLength / PAGE)
    bitmap.setRange(0, 1)
    const extents = new Extents({ algorithm, idstr: shape.idstr, pagesPerExtent: extentSize / PAGE, bitmap })
    const digests = PageDigests.make({ shape, bitmap, algorithm, extentSize })
    digests.record(0, new Uint8Array(PAGE), [0, 1])
    const length = digests.extents().length
    const expected = ImageSeal.extentCount(shape, extentSize) * (shape.digests.length / extents.count)
    if (length !== expected) throw new Error(`expected ${expected} bytes of digests, found ${length}`)
  }
  return []
}

/** What was read once can be written and read again. */
const notesOf = (bytes: Uint8Array): ReadonlyArray<Problem> => {
  const notes = ImageNotes.decode(bytes, 0)
  if (Result.isFailure(notes)) return [notes.failure]
  const again = ImageNotes.decode(ImageNotes.encode(notes.success), 0)
  if (!Result.isSuccess(again)) throw new Error("notes that can be read once")
  return []
}

const markOf = (bytes: Uint8Array): ReadonlyArray<Problem> => problemOf(SealMark.decode(bytes, 0))

/** What a stream begins with, part by part. */
const beginningOf = (bytes: Uint8Array): ReadonlyArray<Problem> => {
  const header = MigrationStream.decodeFileHeader(bytes)
  if (Result.isFailure(header)) return [header.failure]
  const configuration = MigrationStream.decodeConfiguration(bytes, header.success.end)
  if (Result.isFailure(configuration)) return [configuration.failure]
  const { end, value } = configuration.success
  void MachineType.isAtMost(value?.machine, 8, 0)
  return problemOf(MigrationStream.decodeSectionHeader(bytes, end))
}

const mappedRamOf = (bytes: Uint8Array): ReadonlyArray<Problem> => {
  const header = MappedRam.decodeHeader(bytes)
  return Result.isFailure(header)
    ? [header.failure]
    : problemOf(MigrationStream.decodeFooter(bytes, 1, header.success.end))
}

const descriptionOf = (bytes: Uint8Array): ReadonlyArray<Problem> => {
  const decoded = Description.decode(bytes)
  if (Result.isFailure(decoded)) return [decoded.failure]
  return decoded.success.devices.flatMap((device) => {
    const data = new Uint8Array(Math.min(DeviceFields.sizeOf(device), MAX_STATE))
    return problemOf(DeviceState.decode({ name: "", instanceId: 0, version: 0, sectionId: 0, data }, device))
  })
}

/** Whether the end of a stream is noticed does not depend on how it arrives. */
const stateEndOf = (bytes: Uint8Array): ReadonlyArray<Problem> => {
  const [whole, pieces] = [new StateEnd(), new StateEnd()]
  whole.push(bytes)
  const chunk = CHUNKS[bytes.length % CHUNKS.length]!
  for (let at = 0; at < bytes.length; at += chunk) pieces.push(bytes.subarray(at, at + chunk))
  if (whole.isComplete !== pieces.isComplete) {
    throw new Error(`in pieces of ${chunk} bytes: expected ${whole.isComplete}, found ${pieces.isComplete}`)
  }
  return whole.isComplete ? [] : [{ expected: "all of the stream", found: "a part" }]
}

const MAX_MESSAGE = 2048

const qmpOf = (bytes: Uint8Array): ReadonlyArray<Problem> => {
  const found: Array<Problem> = []
  const splitter = ObjectSplitter.make(MAX_MESSAGE)
  const chunk = CHUNKS[bytes.length % CHUNKS.length]!
  for (let at = 0; at < bytes.length; at += chunk) {
    const problem = splitter.push(bytes.subarray(at, at + chunk), (object) => {
      if (object.length > MAX_MESSAGE) throw new Error(`a message of ${object.length} bytes`)
      found.push(...problemOf(Message.decode(object)))
    })
    if (problem !== undefined) return [...found, problem]
  }
  return found
}

const head = Captures.heads["validate-uuid"][0].bytes

const devicePacket = DeviceStatePacket.encode({ idstr: "0000:00:03.0/vfio", instanceId: 0, payloadLength: 100 })

const xml = '<domain type="qemu"><name>vm</name></domain>'

const sealed: ImageSeal.Seal = {
  algorithm: "crc32",
  extentSize: 64 * 1024,
  start: 0,
  end: 0x2601000,
  rest: new Uint8Array(4).fill(7),
  blocks: ["pc.ram", "pc.bios"].map((idstr) => ({
    ...{ idstr, usedLength: 0x20000, pageSize: PAGE, bitmapOffset: 0x89, pagesOffset: 0x100000 },
    digests: new Uint8Array(8).fill(9)
  })),
  notes: { uuid: "2b6f0cc9-04d1-4b5c-9e0c-0123456789ab", lost: [{ idstr: "pc.ram", pages: 3 }] }
}

const mark = { state: "sealed", algorithm: "crc32", seal: { position: 0x2601000, length: 200 } } as const

const returnPath: ReadonlyArray<ReturnPath.Message> = [
  { _tag: "Pong", value: 1 },
  { _tag: "SwitchoverAck" },
  { _tag: "RequestPagesOfBlock", idstr: "pc.ram", offset: 0xc0000, length: PAGE },
  { _tag: "RequestPages", offset: 0x1000, length: PAGE },
  { _tag: "ReceivedBitmap", idstr: "pc.ram" },
  { _tag: "ResumeAck", value: 1 },
  { _tag: "Shut", value: 0 }
]

/** What QEMU 10.0.2 says over QMP. */
const qmp = [
  '{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": "Debian"}, "capabilities": ["oob"]}}',
  '{"return": {"status": "prelaunch", "running": false, "max-bandwidth": 18446744073709551615}, "id": 3}',
  '{"id": 2, "error": {"class": "GenericError", "desc": "Migration not in expected state: none"}}',
  '{"timestamp": {"seconds": 1795272036, "microseconds": 7}, "event": "MIGRATION", "data": {"status": "active"}}'
]

const uris = ["file:/var/lib/vm/image,offset=0x1000", "file:vm.img,offset=1.5k", "tcp:[::1]:4444", "unix:/run/vm.sock"]

/** Those that read bytes in memory; `payloads.ts` has the others. All shares add up to ten thousand. */
export const decoders: ReadonlyArray<Decoder> = [
  { name: "image", seeds: Seeds.images, share: 250, decode: imageOf },
  { name: "beginning of a stream", seeds: [head], share: 400, decode: beginningOf },
  {
    name: "mapped-ram header",
    seeds: [Bytes.concat(head.subarray(-MappedRam.HEADER_BYTES), MigrationStream.encodeFooter(1))],
    share: 400,
    decode: mappedRamOf
  },
  { name: "main channel", seeds: Seeds.mains, share: 1000, decode: mainOf },
  ...Seeds.tails.map(({ bytes, footers }) => ({
    name: `end of a stream${footers ? "" : " without footers"}, ${bytes.length} bytes`,
    seeds: [bytes],
    share: 300,
    decode: (input: Uint8Array) => tailOf(SparseFile.fromBytes(input), 0, footers)
  })),
  { name: "arriving end", seeds: Seeds.tails.map(({ bytes }) => bytes), share: 300, decode: stateEndOf },
  { name: "description", seeds: Seeds.descriptions, share: 500, decode: descriptionOf },
  { name: "init packet", seeds: Seeds.inits, share: 950, decode: initOf },
  { name: "packet", seeds: [...Seeds.packetHeaders, devicePacket], share: 1300, decode: packetOf },
  {
    name: "libvirt's header",
    seeds: [undefined, "<cookie/>"].map((cookie) =>
      Bytes.concat(LibvirtSave.encode({ xml, cookie, wasRunning: true }), head)
    ),
    share: 600,
    decode: (bytes) => problemOf(run(LibvirtSave.parse(), bytes), LibvirtSave.decodeHeader(bytes))
  },
  {
    name: "return path",
    seeds: [Bytes.concat(...returnPath.map(ReturnPath.encode))],
    share: 600,
    decode: returnPathOf
  },
  { name: "xbzrle", seeds: Seeds.changes, share: 760, decode: xbzrleOf },
  { name: "seal", seeds: [sealed, { ...sealed, notes: {} }].map(ImageSeal.encode), share: 300, decode: sealOf },
  { name: "notes", seeds: [ImageNotes.encode(sealed.notes)], share: 100, decode: notesOf },
  {
    name: "partial seal",
    seeds: [PartialSeal.encode({ seal: sealed, bitmaps: sealed.blocks.map(() => PageBitmap.make(0x20)) })],
    share: 200,
    decode: (bytes) => problemOf(PartialSeal.decode(bytes, 0))
  },
  {
    name: "mark",
    seeds: [SealMark.encode({ ...mark, digest: new Uint8Array(4) })],
    share: 400,
    decode: markOf
  },
  { name: "QMP", seeds: [Bytes.text(qmp.join("\r\n")), ...qmp.map(Bytes.text)], share: 600, decode: qmpOf },
  {
    name: "URI",
    seeds: uris.map(Bytes.text),
    share: 200,
    decode: (bytes) => problemOf(MigrationUri.parse(latin1(bytes)))
  }
]
