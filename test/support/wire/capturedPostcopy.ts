/**
 * Postcopy migrations between two real QEMUs; `test/fixtures/postcopy/README.md` says how they were made.
 */
import * as Result from "effect/Result"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Zlib from "node:zlib"
import * as PostcopyCommand from "../../../src/format/postcopy/PostcopyCommand.ts"
import * as PostcopyRecords from "../../../src/format/postcopy/PostcopyRecords.ts"
import * as ReceivedBitmap from "../../../src/format/postcopy/ReceivedBitmap.ts"
import * as MigrationStream from "../../../src/format/stream/MigrationStream.ts"
import * as RamRecords from "../../../src/format/stream/RamRecords.ts"
import * as ReturnPath from "../../../src/format/stream/ReturnPath.ts"
import type { Shape } from "../../../src/ram/RamBlock.ts"

const folder = Path.resolve(import.meta.dirname, "../../fixtures/postcopy")

/** Versions of QEMU that were captured. */
export const versions = ["10.0", "11.1"] as const

export type Version = (typeof versions)[number]
export type Name = "plain" | "preempt" | "recover"

/** Everything that one side sent over a connection, of those in the order in which they were made. */
export const sent = (version: Version, name: Name, connection: number, side: "source" | "destination"): Uint8Array =>
  new Uint8Array(Zlib.gunzipSync(Fs.readFileSync(Path.join(folder, `${version}.${name}.${connection}.${side}.gz`))))

const { SectionType } = MigrationStream

/** Records from a position up to the end of a section, or of the bytes. */
export const recordsFrom = (
  bytes: Uint8Array,
  blocks: ReadonlyArray<Shape>,
  from: number,
  start?: string,
  urgent = false
) => {
  const records: Array<PostcopyRecords.PostcopyRecord> = []
  let [at, last] = [from, start]
  while (at < bytes.length) {
    const { end, value } = Result.getOrThrow(PostcopyRecords.decode(bytes, { blocks, last, urgent }, at))
    at = end
    if (value._tag === "EndOfSection") break
    records.push(value)
    last = value.idstr
  }
  return { records, end: at, last }
}

/** The bytes of records, in their order. */
export const encodeRecords = (
  blocks: ReadonlyArray<Shape>,
  records: ReadonlyArray<PostcopyRecords.PostcopyRecord>,
  encoder = RamRecords.make()
): Uint8Array =>
  new Uint8Array(
    Buffer.concat(
      records.flatMap((record) => {
        if (record._tag === "EndOfSection") return [MigrationStream.encodeRamRecord(0x10)]
        const block = blocks.find(({ idstr }) => idstr === record.idstr)!
        const { offset } = record
        return record._tag === "Page"
          ? encoder.pages(block, [{ offset, bytes: record.bytes }])
          : [encoder.zeros(block, [{ offset, length: block.pageSize }])]
      })
    )
  )

/** What a source sent on the main connection, in order; of a package, what is in it and is no section. */
export interface Walked {
  readonly blocks: ReadonlyArray<Shape>
  readonly commands: ReadonlyArray<PostcopyCommand.PostcopyCommand>
  /** The bytes of those commands. */
  readonly commandBytes: ReadonlyArray<Uint8Array>
  /** Records behind the package, or of the whole connection where there is none. */
  readonly records: ReadonlyArray<PostcopyRecords.PostcopyRecord>
  /** Where the records of each section begin and end, with the block of the record before. */
  readonly sections: ReadonlyArray<{
    readonly from: number
    readonly to: number
    readonly first: number
    readonly last: string | undefined
  }>
  readonly end: number
}

/** Takes the list of blocks out of RAM's START. */
const startAt = (bytes: Uint8Array, from: number) => {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const blocks: Array<Shape> = []
  let left = Number(view.readBigUInt64BE(from)) - 4
  let at = from + 8
  while (left > 0) {
    const length = view[at]!
    const usedLength = Number(view.readBigUInt64BE(at + 1 + length))
    blocks.push({ idstr: view.toString("utf8", at + 1, at + 1 + length), usedLength, pageSize: 4096 })
    at += 9 + length
    left -= usedLength
  }
  return { blocks, at: at + 8 + 5 }
}

/** Walks through the stream; `blocks` where it goes on behind a break. */
export const walk = (bytes: Uint8Array, given: ReadonlyArray<Shape> = []): Walked => {
  const commands: Array<PostcopyCommand.PostcopyCommand> = []
  const commandBytes: Array<Uint8Array> = []
  const sections: Array<Walked["sections"][number]> = []
  let records: Array<PostcopyRecords.PostcopyRecord> = []
  let blocks = given
  let last: string | undefined
  let at = 0
  if (given.length === 0) {
    at = Result.getOrThrow(MigrationStream.decodeFileHeader(bytes)).end
    at = Result.getOrThrow(MigrationStream.decodeConfiguration(bytes, at)).end
  }
  const command = () => {
    const { end, value } = Result.getOrThrow(PostcopyCommand.decode(bytes, at))
    commands.push(value)
    commandBytes.push(bytes.subarray(at, end))
    at = end
    return value
  }
  while (at < bytes.length && bytes[at] !== SectionType.endOfStream) {
    if (bytes[at] === SectionType.command) {
      const value = command()
      if (value._tag !== "Packaged") continue
      const end = at + value.length
      command()
      // Device sections, and behind them the commands that end the package.
      at = Buffer.from(bytes).indexOf(PostcopyCommand.encode({ _tag: "Ping", value: 3 }), at)
      while (at < end) command()
      records = []
      sections.length = 0
      continue
    }
    const section = Result.getOrThrow(MigrationStream.decodeSectionHeader(bytes, at))
    at = section.end
    if (section.value.type === "start") {
      ;({ at, blocks } = startAt(bytes, at))
      continue
    }
    const first = records.length
    const read = recordsFrom(bytes, blocks, at, last)
    sections.push({ from: at, to: read.end, first, last })
    records.push(...read.records)
    last = read.last
    at = Result.getOrThrow(MigrationStream.decodeFooter(bytes, section.value.sectionId, read.end)).end
  }
  return { blocks, commands, commandBytes, records, sections, end: at }
}

/** What a destination said, with the bitmaps behind their messages. */
export const answers = (bytes: Uint8Array, blocks: ReadonlyArray<Shape>) => {
  const messages: Array<ReturnPath.Message> = []
  const bitmaps = new Map<string, ReturnType<typeof ReceivedBitmap.decode>>()
  for (let at = 0; at < bytes.length;) {
    const header = Result.getOrThrow(ReturnPath.decodeHeader(bytes.subarray(at), at))
    at += ReturnPath.HEADER_LENGTH
    const message = Result.getOrThrow(ReturnPath.decodeBody(header, bytes.subarray(at), at))
    at += header.length
    messages.push(message)
    if (message._tag !== "ReceivedBitmap") continue
    const block = blocks.find(({ idstr }) => idstr === message.idstr)!
    bitmaps.set(block.idstr, ReceivedBitmap.decode(block, bytes.subarray(at), at))
    at += ReceivedBitmap.lengthOf(block)
  }
  return { messages, bitmaps }
}
