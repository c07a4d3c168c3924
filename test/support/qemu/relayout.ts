/**
 * A real image, laid out in a way in which no QEMU would write it but which every QEMU reads. A third, independent
 * writer of the format, for tests of readers.
 *
 *     head as it was │ entry, header [, bitmap] … pages │ … │ EOS [PARTs] [SWITCHOVER_START] END │ devices … │ [bitmaps]
 */
import * as Fs from "node:fs"
import * as Files from "./files.ts"
import * as QemuImage from "./qemuImage.ts"

const PAGE = 4096
const MIB = 1024 * 1024

/** What is different. Default: nothing that matters. */
export interface Options {
  /** Page regions begin at multiples of this; default 1 MiB. */
  readonly alignment?: number | undefined
  /** Blocks from the last to the first. */
  readonly reversed?: boolean | undefined
  /** Each block's region lies in front of that of the block before it. */
  readonly backwards?: boolean | undefined
  /** Bitmaps lie behind the end of the stream, at odd places. */
  readonly bitmapsBehind?: boolean | undefined
  /** Zero pages are in the file, with their bits set. */
  readonly zerosStored?: boolean | undefined
  /** Something else than zeros lies where the bit is clear. */
  readonly junkUnderClearBits?: boolean | undefined
  /** Number of RAM's section; default 1. */
  readonly sectionId?: number | undefined
  /** Number of empty PART sections; default 1. */
  readonly parts?: number | undefined
  /** Default `true`. */
  readonly switchoverStart?: boolean | undefined
  /** Bytes of something else at the end of the file. */
  readonly trailer?: number | undefined
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

const EOS = u64(0x10)
const SWITCHOVER_START = Buffer.from("08000b0000", "hex")

const footer = (sectionId: number): Buffer => Buffer.concat([Buffer.of(0x7e), u32(sectionId)])

const emptySection = (type: number, sectionId: number): Buffer =>
  Buffer.concat([Buffer.of(type), u32(sectionId), EOS, footer(sectionId)])

/** Everything from RAM's first EOS on. */
const tail = (image: QemuImage.QemuImage, { parts = 1, sectionId = 1, switchoverStart = true }: Options): Buffer =>
  Buffer.concat([
    EOS,
    footer(sectionId),
    ...Array.from({ length: parts }, () => emptySection(2, sectionId)),
    ...(switchoverStart ? [SWITCHOVER_START] : []),
    emptySection(3, sectionId),
    Files.read(image.path, image.devicesAt, image.fileSize - image.devicesAt)
  ])

/** Where one block goes. */
interface Placed {
  readonly block: QemuImage.Block
  readonly entryAt: number
  readonly bitmapOffset: number
  readonly pagesOffset: number
}

const align = (position: number, alignment: number): number => Math.ceil(position / alignment) * alignment

/** Room enough for any region and what follows it. */
const strideOf = (blocks: ReadonlyArray<QemuImage.Block>): number =>
  Math.max(...blocks.map(({ usedLength }) => usedLength)) + 2 * MIB

const place = (image: QemuImage.QemuImage, options: Options): ReadonlyArray<Placed> => {
  const blocks = options.reversed === true ? image.blocks.toReversed() : image.blocks
  const stride = strideOf(blocks)
  const behind = options.backwards === true ? (blocks.length + 1) * stride : image.fileSize + blocks.length * MIB
  let entryAt = image.blocks[0]!.entryAt
  return blocks.map((block, i) => {
    const headerEnd = entryAt + 1 + block.idstr.length + 8 + 28
    const bitmapOffset = options.bitmapsBehind === true ? behind + 7 + i * 9973 : headerEnd
    const free = options.bitmapsBehind === true ? headerEnd : headerEnd + block.bitmapLength
    const pagesOffset =
      options.backwards === true ? (blocks.length - i) * stride : align(free, options.alignment ?? MIB)
    const placed = { block, entryAt, bitmapOffset, pagesOffset }
    entryAt = pagesOffset + block.usedLength
    return placed
  })
}

const entry = ({ bitmapOffset, block, pagesOffset }: Placed): Buffer =>
  Buffer.concat([
    Buffer.of(block.idstr.length),
    Buffer.from(block.idstr),
    u64(block.usedLength),
    u32(1),
    u64(PAGE),
    u64(bitmapOffset),
    u64(pagesOffset)
  ])

const bitmapOf = (
  image: QemuImage.QemuImage,
  { bitmapLength, bitmapOffset, usedLength }: QemuImage.Block,
  { zerosStored }: Options
) => {
  if (zerosStored !== true) return Files.read(image.path, bitmapOffset, bitmapLength)
  const bitmap = Buffer.alloc(bitmapLength)
  for (let page = 0; page < usedLength / PAGE; page++) bitmap[page >> 3]! |= 1 << (page & 7)
  return bitmap
}

const pagesOf = (image: QemuImage.QemuImage, block: QemuImage.Block, { junkUnderClearBits }: Options): Buffer => {
  const content = QemuImage.content(image, block)
  if (junkUnderClearBits !== true) return content
  const bitmap = Files.read(image.path, block.bitmapOffset, block.bitmapLength)
  for (let page = 0; page < block.usedLength / PAGE; page++) {
    if (((bitmap[page >> 3]! >> (page & 7)) & 1) === 0) content.fill(0x5a, page * PAGE, (page + 1) * PAGE)
  }
  return content
}

/** Writes the image anew at `path`, which must not exist. */
export const write = (image: QemuImage.QemuImage, path: string, options: Options): void => {
  const placed = place(image, options)
  const head = Files.read(image.path, 0, image.blocks[0]!.entryAt)
  head.writeUInt32BE(options.sectionId ?? 1, image.ramStartAt + 1)
  const last = placed.at(-1)!
  const tailBytes = tail(image, options)
  const tailAt = last.pagesOffset + last.block.usedLength
  Fs.writeFileSync(path, head, { flag: "wx" })
  Files.patch(path, [
    { position: tailAt, bytes: tailBytes },
    { position: tailAt + tailBytes.length, bytes: Buffer.alloc(options.trailer ?? 0, "trailer") }
  ])
  for (const one of placed) {
    Files.patch(path, [
      { position: one.entryAt, bytes: entry(one) },
      { position: one.bitmapOffset, bytes: bitmapOf(image, one.block, options) },
      { position: one.pagesOffset, bytes: pagesOf(image, one.block, options) }
    ])
  }
}
