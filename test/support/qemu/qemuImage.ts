/**
 * Where everything lies in an image that a real QEMU has just written: a second, independent reading of the format, for
 * patching images and for checking what the library says about them. It trusts its input and throws when that is wrong.
 *
 *     "QEVM" 3 │ 07 configuration │ 01 START "ram" │ total, blocks │ EOS 7e … 03 END … EOS 7e │ devices │ 00 │ 06 L JSON
 */
import * as Fs from "node:fs"
import * as Files from "./files.ts"

const PAGE = 4096
const EOS = 0x10n
const SUBSECTION = 5
/** More bytes than devices that are set up early have, and fewer than an image. */
const EARLY_DEVICES = 64 * 1024
/** The flag that stands in the low bits of the total length of RAM. */
export const MEM_SIZE = 4

/** One RAM block's entry; every position counts from the start of the file. */
export interface Block {
  readonly idstr: string
  /** Of the length byte of the name. */
  readonly entryAt: number
  /** Of the u64 with the used length. */
  readonly lengthAt: number
  readonly usedLength: number
  /** Of the 28-byte mapped-ram header. */
  readonly headerAt: number
  readonly bitmapOffset: number
  readonly bitmapLength: number
  readonly pagesOffset: number
}

/** The places of an image. */
export interface QemuImage {
  readonly path: string
  /** Of the u32 with the length of the machine name. */
  readonly machineAt: number
  readonly machine: string
  /** Of RAM's START section. */
  readonly ramStartAt: number
  /** Of the u64 with the total length of RAM, flags included. */
  readonly totalAt: number
  readonly blocks: ReadonlyArray<Block>
  /** Of the EOS record of RAM's START section. */
  readonly startEosAt: number
  /** Of the byte 03 of RAM's END section. */
  readonly ramEndAt: number
  /** Of the first device section. */
  readonly devicesAt: number
  /** Of the byte 00 behind the last device section. */
  readonly eofAt: number
  /** Of the u32 with the length of the description. */
  readonly descriptionAt: number
  readonly fileSize: number
}

/** Reads big-endian numbers and strings one after the other. */
class Cursor {
  readonly fd: number
  at: number
  constructor(fd: number, at: number) {
    this.fd = fd
    this.at = at
  }
  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length)
    if (Fs.readSync(this.fd, bytes, 0, length, this.at) !== length) throw new Error(`the image ends at ${this.at}`)
    this.at += length
    return bytes
  }
  u8(): number {
    return this.bytes(1)[0]!
  }
  u32(): number {
    return this.bytes(4).readUInt32BE()
  }
  u64(): number {
    return Number(this.bytes(8).readBigUInt64BE())
  }
  text(length: number): string {
    return this.bytes(length).toString()
  }
  expect(what: string, found: number | bigint, expected: number | bigint): void {
    if (found !== expected) throw new Error(`${what} before ${this.at}: expected ${expected}, found ${found}`)
  }
}

const readBlock = (cursor: Cursor): Block => {
  const entryAt = cursor.at
  const idstr = cursor.text(cursor.u8())
  const lengthAt = cursor.at
  const usedLength = cursor.u64()
  const headerAt = cursor.at
  cursor.expect("version", cursor.u32(), 1)
  cursor.expect("page size", cursor.u64(), PAGE)
  const bitmapOffset = cursor.u64()
  const pagesOffset = cursor.u64()
  cursor.at = pagesOffset + usedLength
  const bitmapLength = Math.ceil(usedLength / PAGE / 64) * 8
  return { idstr, entryAt, lengthAt, usedLength, headerAt, bitmapOffset, bitmapLength, pagesOffset }
}

const readBlocks = (cursor: Cursor, total: number): ReadonlyArray<Block> => {
  const blocks: Array<Block> = []
  for (let rest = total; rest > 0; rest -= blocks.at(-1)!.usedLength) blocks.push(readBlock(cursor))
  return blocks
}

/** Moves over one subsection of the configuration. */
const skipSubsection = (cursor: Cursor): void => {
  const name = cursor.text(cursor.u8())
  cursor.u32()
  if (name === "configuration/uuid") cursor.bytes(16)
  else for (let count = cursor.u32(); count > 0; count--) cursor.text(cursor.u8())
}

const readConfiguration = (cursor: Cursor): { readonly machineAt: number; readonly machine: string } => {
  cursor.expect("configuration", cursor.u8(), 7)
  const machineAt = cursor.at
  const machine = cursor.text(cursor.u32())
  while (cursor.u8() === SUBSECTION) skipSubsection(cursor)
  cursor.at--
  return { machineAt, machine }
}

const FULL = 4

/** What follows the type and the id of RAM's START section. */
const RAM = Buffer.from("\x03ram\0\0\0\0\0\0\0\x04", "latin1")

/** Devices that are set up early stand in front of RAM in 11.1, and behind it before. */
const skipEarlyDevices = (cursor: Cursor): void => {
  const startAt = cursor.at
  if (cursor.u8() === FULL) {
    const at = cursor.bytes(EARLY_DEVICES).indexOf(RAM)
    if (at < 0) throw new Error(`no section of RAM in ${EARLY_DEVICES} bytes from ${startAt}`)
    cursor.at = startAt + 1 + at - 5
  } else cursor.at = startAt
}

/** RAM's START section up to the total length of RAM; the section's id. */
const readStart = (cursor: Cursor): number => {
  cursor.expect("START", cursor.u8(), 1)
  const sectionId = cursor.u32()
  if (cursor.text(cursor.u8()) !== "ram") throw new Error("the first section is not that of RAM")
  cursor.expect("instance", cursor.u32(), 0)
  cursor.expect("version", cursor.u32(), 4)
  return sectionId
}

const END_LENGTH = 1 + 4 + 8 + 1 + 4

/** An END section of RAM, which holds no pages. */
const endSection = (sectionId: number): Buffer => {
  const section = Buffer.alloc(END_LENGTH)
  section.writeUInt8(3, 0)
  section.writeUInt32BE(sectionId, 1)
  section.writeBigUInt64BE(EOS, 5)
  section.writeUInt8(0x7e, 13)
  section.writeUInt32BE(sectionId, 14)
  return section
}

const isJson = (text: string): boolean => {
  try {
    return text.startsWith("{") && typeof JSON.parse(text) === "object"
  } catch {
    return false
  }
}

/** Where the end of the stream begins in its last bytes: `00 06 L`, L bytes of JSON. Our own images have a seal behind it. */
const findEof = (tail: Buffer): number => {
  const mark = Buffer.of(0, 6)
  for (let at = tail.indexOf(mark); at >= 0 && at + 6 <= tail.length; at = tail.indexOf(mark, at + 1)) {
    const end = at + 6 + tail.readUInt32BE(at + 2)
    if (end <= tail.length && isJson(tail.toString("utf8", at + 6, end))) return at
  }
  throw new Error("there is no description")
}

const readFrom = (fd: number, path: string, start: number): QemuImage => {
  const cursor = new Cursor(fd, start)
  cursor.expect("magic", cursor.u32(), 0x5145564d)
  cursor.expect("stream version", cursor.u32(), 3)
  const configuration = readConfiguration(cursor)
  skipEarlyDevices(cursor)
  const ramStartAt = cursor.at
  const sectionId = readStart(cursor)
  const totalAt = cursor.at
  const blocks = readBlocks(cursor, cursor.u64() - MEM_SIZE)
  const startEosAt = cursor.at
  const fileSize = Fs.fstatSync(fd).size
  const tail = cursor.bytes(fileSize - startEosAt)
  const ramEndAt = tail.indexOf(endSection(sectionId))
  if (ramEndAt < 0) throw new Error("RAM has no END section")
  const eofAt = findEof(tail)
  return {
    path,
    ...configuration,
    ramStartAt,
    totalAt,
    blocks,
    startEosAt,
    fileSize,
    ramEndAt: startEosAt + ramEndAt,
    devicesAt: startEosAt + ramEndAt + END_LENGTH,
    eofAt: startEosAt + eofAt,
    descriptionAt: startEosAt + eofAt + 2
  }
}

/** Reads where everything lies; the stream begins at `start`. */
export const read = (path: string, start = 0): QemuImage => {
  const fd = Fs.openSync(path, "r")
  try {
    return readFrom(fd, path, start)
  } finally {
    Fs.closeSync(fd)
  }
}

/** The entry of a block. */
export const block = (image: QemuImage, idstr: string): Block => {
  const found = image.blocks.find((block) => block.idstr === idstr)
  if (found === undefined) throw new Error(`no block ${idstr} in ${image.path}`)
  return found
}

const isPresent = (bitmap: Buffer, page: number): boolean => ((bitmap[page >> 3]! >> (page & 7)) & 1) === 1

/** The number of pages whose bit is set. */
export const pagesPresent = (image: QemuImage, { bitmapLength, bitmapOffset, usedLength }: Block): number => {
  const bitmap = Files.read(image.path, bitmapOffset, bitmapLength)
  let count = 0
  for (let page = 0; page < usedLength / PAGE; page++) if (isPresent(bitmap, page)) count++
  return count
}

/** The RAM of a block: its pages where the bit is set, zeros elsewhere. */
export const content = (image: QemuImage, { bitmapLength, bitmapOffset, pagesOffset, usedLength }: Block): Buffer => {
  const bitmap = Files.read(image.path, bitmapOffset, bitmapLength)
  const bytes = Buffer.alloc(usedLength)
  Files.read(image.path, pagesOffset, usedLength).copy(bytes)
  for (let page = 0; page < usedLength / PAGE; page++) {
    if (!isPresent(bitmap, page)) bytes.fill(0, page * PAGE, (page + 1) * PAGE)
  }
  return bytes
}

/** The RAM of every block, by its name. */
export const contents = (image: QemuImage): ReadonlyMap<string, Buffer> =>
  new Map(image.blocks.map((block) => [block.idstr, content(image, block)]))

/** The device sections as one piece of bytes. */
export const deviceState = (image: QemuImage): Buffer =>
  Files.read(image.path, image.devicesAt, image.eofAt - image.devicesAt)

/** The sum of the lengths of all blocks. */
export const total = (image: QemuImage): number => image.blocks.reduce((sum, { usedLength }) => sum + usedLength, 0)
