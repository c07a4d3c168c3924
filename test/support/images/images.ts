/**
 * Images, made up.
 */
import * as Arbitrary from "effect/Arbitrary"
import * as ImageStream from "../../../src/format/image/ImageStream.ts"
import * as MappedRam from "../../../src/format/image/MappedRam.ts"
import * as MigrationStream from "../../../src/format/stream/MigrationStream.ts"
import { between } from "../arbitraries.ts"
import * as Bytes from "../bytes.ts"
import * as SparseFile from "./sparseFile.ts"

export const configuration: MigrationStream.Configuration = {
  machine: "pc-i440fx-10.0",
  capabilities: ["mapped-ram"]
}

/** One device section. */
export const section = (sectionId: number, name: string, data: Uint8Array): Uint8Array =>
  Bytes.concat(
    MigrationStream.encodeSectionHeader({ type: "full", sectionId, name, instanceId: 0, version: 1 }),
    data,
    MigrationStream.encodeFooter(sectionId)
  )

/** A description of devices whose data is one buffer each. */
export const description = (sizes: Readonly<Record<string, number>>): Uint8Array => {
  const devices = Object.entries(sizes).map(([name, size]) => ({
    name,
    instance_id: 0,
    vmsd_name: name,
    version: 1,
    fields: [{ name: "data", type: "buffer", size }]
  }))
  const json = Bytes.text(JSON.stringify({ page_size: 4096, devices }))
  return Bytes.concat(MigrationStream.encodeDescriptionHeader(json.length), json)
}

const endOfStream = Bytes.hex("00")

/** The device state of a small machine, with the description behind it. */
export const state = Bytes.concat(
  section(2, "timer", new Uint8Array(12)),
  endOfStream,
  description({ timer: 12, "early/device": 8 })
)

/** A section that stands in front of RAM's END. */
export const early = section(3, "early/device", new Uint8Array(8))

/** What an image is made of. */
export interface Options {
  readonly start?: number
  readonly configuration?: MigrationStream.Configuration | undefined
  readonly prelude?: Uint8Array
  readonly blocks?: ReadonlyArray<ImageStream.HeadBlock>
  readonly sectionId?: number
  readonly early?: Uint8Array
  readonly switchoverStart?: boolean
  readonly footers?: boolean
  readonly state?: Uint8Array
}

/** The blocks of a small machine. */
export const fewBlocks: ReadonlyArray<ImageStream.HeadBlock> = [
  { idstr: "pc.ram", usedLength: 100 * 4096, pageSize: 4096 },
  { idstr: "pc.bios", usedLength: 2 * 4096, pageSize: 4096 },
  { idstr: "pc.rom", usedLength: 4096, pageSize: 4096 }
]

/** An image as QEMU lays it out, without the bitmaps and pages, which are holes. */
export const make = (options: Options = {}): SparseFile.SparseFile => {
  const { blocks = fewBlocks, switchoverStart = true } = options
  const head = ImageStream.head({ configuration, ...options, blocks })
  const end = ImageStream.end({ ...options, switchoverStart })
  const tail = { position: head.end, bytes: Bytes.concat(end, options.state ?? state) }
  return SparseFile.make([...head.pieces, tail])
}

/** A block of an image. */
export const block = (file: SparseFile.SparseFile, idstr: string): ImageStream.MappedBlock => {
  const found = parse(file).blocks.find((block) => block.idstr === idstr)
  if (found === undefined) throw new Error(`no block ${idstr}`)
  return found
}

/** What the parser makes of a file. */
export const parse = (file: SparseFile.SparseFile, start = 0): ImageStream.ParsedImage =>
  SparseFile.run(ImageStream.parse({ start, fileSize: file.size }), file)

/** The codes of what the parser finds. */
export const codes = (file: SparseFile.SparseFile, start = 0): ReadonlyArray<string> =>
  parse(file, start).findings.map(({ code }) => code)

/** A block and where its parts lie. */
export interface Placed {
  readonly idstr: string
  readonly usedLength: number
  readonly header: MappedRam.Header
  readonly address?: number
}

/** An image whose parts lie anywhere. Bitmaps and pages are holes. */
export const place = (
  blocks: ReadonlyArray<Placed>,
  given: { readonly configuration?: MigrationStream.Configuration } = {}
): SparseFile.SparseFile => {
  const total = blocks.reduce((sum, { usedLength }) => sum + usedLength, 0)
  const pieces: Array<ImageStream.Piece> = []
  let position = 0
  let bytes = Bytes.concat(
    MigrationStream.encodeFileHeader(),
    MigrationStream.encodeConfiguration(given.configuration ?? configuration),
    MigrationStream.encodeSectionHeader({ type: "start", sectionId: 7, name: "ram", instanceId: 0, version: 4 }),
    MigrationStream.encodeRamRecord(MigrationStream.RamFlag.memSize, total)
  )
  for (const block of blocks) {
    pieces.push({ position, bytes: Bytes.concat(bytes, entry(block)) })
    position = block.header.pagesOffset + block.usedLength
    bytes = new Uint8Array(0)
  }
  const end = ImageStream.end({ sectionId: 7, switchoverStart: true })
  pieces.push({ position, bytes: Bytes.concat(bytes, end, state) })
  return SparseFile.make(pieces)
}

const u64 = (value: number): Uint8Array => MigrationStream.encodeRamRecord(0, value)

/** A block's name, length and header. */
export const entry = ({ address, header, idstr, usedLength }: Placed): Uint8Array =>
  Bytes.concat(
    Bytes.hex(Buffer.byteLength(idstr).toString(16).padStart(2, "0")),
    Bytes.text(idstr),
    u64(usedLength),
    address === undefined ? new Uint8Array(0) : u64(address),
    MappedRam.encodeHeader(header)
  )

/** Blocks of one page size, their names in order. */
export const blocks: Arbitrary.Arbitrary<ReadonlyArray<ImageStream.HeadBlock>> = Arbitrary.map(
  Arbitrary.all({
    pages: Arbitrary.array(between(1, 2 ** 20), { minLength: 1, maxLength: 8 }),
    bits: between(10, 16)
  }),
  ({ bits, pages }) =>
    pages.map((count, i) => ({ idstr: `block ${i} ✓`, usedLength: count * 2 ** bits, pageSize: 2 ** bits }))
)
