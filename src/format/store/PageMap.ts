/**
 * The map of a snapshot: the location of each page of each block, and the machine's state. zstd (level 3) of the
 * following; all numbers are little-endian.
 *
 * ```text
 *    0   8  "MFDsMap" and a zero             8  u32  version 1
 *   12  u32  bytes of a page                16  16   the snapshot
 *   32  16   the writer                     48  u32  n, as in the map's name
 *   52  u32  0                              56  16   the parent snapshot, zeros where there is none
 *   72  u32  bytes of the device part, and that part: the machine's state, byte for byte
 *    …  u32  number of packs; each 112 bytes:
 *            0 16 snapshot  16 16 writer  32 u32 n  36 u32 frames  40 u64 position of the trailer
 *           48 u32 pages    52 u32 bytes of the trailer  56 … 64 0  64 16 salt  80 32 SHA-256 of the footer
 *    …  u32  number of blocks; each:
 *            u16 bytes of the name, name in UTF-8, u64 bytes of the block
 *            u32 runs, u32 × 3 bytes of the columns, and the columns in unsigned LEB128:
 *              kinds    0 zero pages, 1 stored pages
 *              lengths  in pages
 *              pages    of kind 1 only: page number - (page number + length of the kind-1 run before it), zig-zag
 * ```
 *
 * A page number counts the pages of all packs in the order of the table: those of the first pack come first.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { Buffer } from "node:buffer"
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib"
import type * as Finding from "../Finding.ts"
import { found } from "./internal/findings.ts"
import { Leb128Writer, readLeb128, unZigZag, zigZag } from "./internal/leb128.ts"
import * as StoreId from "./StoreId.ts"

const MAGIC = Buffer.from("MFDsMap\0", "latin1")
const VERSION = 1
const HEADER_BYTES = 72
const PACK_BYTES = 112

/**
 * Bytes of the longest map, compressed or not: enough for 64 TiB of RAM in runs of 1 MiB.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const MAX_BYTES: number = 256 * 1024 * 1024

/**
 * Blocks of the largest machine.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const MAX_BLOCKS = 4096

/**
 * A pack that a map refers to.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface PackReference {
  readonly snapshot: string
  readonly writer: string
  readonly number: number
  readonly frames: number
  readonly pages: number
  /** Position of the trailer in the pack, and its length without the footer. */
  readonly trailerPosition: number
  readonly trailerBytes: number
  /** 16 bytes. */
  readonly salt: Uint8Array
  /** SHA-256 of the 64 bytes of the footer. */
  readonly footerDigest: Uint8Array
}

/**
 * The pages of a block, as runs of equal kind.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Runs {
  /** Pages of each run; none is 0. */
  readonly lengths: Float64Array
  /** Number of the first page of a run of stored pages; -1 for a run of zero pages. */
  readonly pages: Float64Array
}

/**
 * A block of a map.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface MapBlock {
  readonly idstr: string
  /** Bytes; whole pages. */
  readonly usedLength: number
  readonly runs: Runs
}

/**
 * A map.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface PageMap {
  /** A power of two. */
  readonly pageSize: number
  readonly snapshot: string
  readonly writer: string
  readonly number: number
  readonly parent: string | undefined
  readonly device: Uint8Array
  readonly packs: ReadonlyArray<PackReference>
  readonly blocks: ReadonlyArray<MapBlock>
}

const ZEROS = StoreId.fromBytes(new Uint8Array(StoreId.BYTES))
const idBytes = (id: string): Uint8Array => StoreId.toBytes(id) ?? new Uint8Array(StoreId.BYTES)

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

const encodeHeader = ({ number, pageSize, parent = ZEROS, snapshot, writer }: PageMap): Buffer => {
  const bytes = Buffer.alloc(HEADER_BYTES)
  bytes.set(MAGIC)
  bytes.writeUInt32LE(VERSION, 8)
  bytes.writeUInt32LE(pageSize, 12)
  bytes.set(idBytes(snapshot), 16)
  bytes.set(idBytes(writer), 32)
  bytes.writeUInt32LE(number, 48)
  bytes.set(idBytes(parent), 56)
  return bytes
}

const encodePack = (pack: PackReference): Buffer => {
  const bytes = Buffer.alloc(PACK_BYTES)
  bytes.set(idBytes(pack.snapshot))
  bytes.set(idBytes(pack.writer), 16)
  bytes.writeUInt32LE(pack.number, 32)
  bytes.writeUInt32LE(pack.frames, 36)
  bytes.writeBigUInt64LE(BigInt(pack.trailerPosition), 40)
  bytes.writeUInt32LE(pack.pages, 48)
  bytes.writeUInt32LE(pack.trailerBytes, 52)
  bytes.set(pack.salt, 64)
  bytes.set(pack.footerDigest, 80)
  return bytes
}

const encodeColumns = ({ lengths, pages }: Runs): ReadonlyArray<Uint8Array> => {
  const columns = [new Leb128Writer(), new Leb128Writer(), new Leb128Writer()] as const
  let next = 0
  for (let run = 0; run < lengths.length; run++) {
    const page = pages[run] ?? -1
    const length = lengths[run] ?? 0
    columns[0].put(page < 0 ? 0 : 1)
    columns[1].put(length)
    if (page < 0) continue
    columns[2].put(zigZag(page - next))
    next = page + length
  }
  return columns.map((column) => column.finish())
}

const encodeBlock = ({ idstr, runs, usedLength }: MapBlock): ReadonlyArray<Uint8Array> => {
  const name = Buffer.from(idstr, "utf8")
  const head = Buffer.alloc(2)
  head.writeUInt16LE(name.length)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(usedLength))
  const columns = encodeColumns(runs)
  return [head, name, length, u32(runs.lengths.length), ...columns.map(({ length: n }) => u32(n)), ...columns]
}

/**
 * The bytes of a map, compressed.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encode = (map: PageMap): Uint8Array => {
  const parts = [
    encodeHeader(map),
    u32(map.device.length),
    map.device,
    u32(map.packs.length),
    ...map.packs.map(encodePack),
    u32(map.blocks.length),
    ...map.blocks.flatMap(encodeBlock)
  ]
  return new Uint8Array(zstdCompressSync(Buffer.concat(parts), { params: { [constants.ZSTD_c_compressionLevel]: 3 } }))
}

/** Stops a decoder at the first problem; caught by `decode`. */
class Wrong {
  readonly finding: Result.Result<never, Finding.Finding>
  constructor(finding: Result.Result<never, Finding.Finding>) {
    this.finding = finding
  }
}

class Reader {
  at = 0
  readonly #bytes: Buffer
  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  take(length: number, name: string): Buffer {
    if (length > this.#bytes.length - this.at) this.stop(`${name}, ${length} bytes`, `the end at ${this.#bytes.length}`)
    return this.#bytes.subarray(this.at, (this.at += length))
  }

  u32(name: string): number {
    return this.take(4, name).readUInt32LE()
  }

  u64(name: string): number {
    const value = this.take(8, name).readBigUInt64LE()
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) this.stop(`${name} below 2^53`, `${value}`)
    return Number(value)
  }

  end(): void {
    if (this.at !== this.#bytes.length) this.stop("the end of the map", `${this.#bytes.length - this.at} bytes more`)
  }

  stop(expected: string, actual: string): never {
    throw new Wrong(found("store-map-corrupt", this.at, expected, actual))
  }
}

const readHeader = (reader: Reader): Omit<PageMap, "blocks" | "device" | "packs"> => {
  const head = reader.take(HEADER_BYTES, "the header of a map")
  if (!head.subarray(0, 8).equals(MAGIC)) reader.stop("the magic of a map", head.toString("hex", 0, 8))
  const version = head.readUInt32LE(8)
  if (version !== VERSION) {
    throw new Wrong(found("store-version-unsupported", 8, `version ${VERSION}`, `version ${version}`))
  }
  const pageSize = head.readUInt32LE(12)
  if (pageSize < 512 || pageSize > 2 ** 20 || (pageSize & (pageSize - 1)) !== 0) {
    reader.stop("a page size between 512 and 1 MiB that is a power of two", `${pageSize}`)
  }
  if (head.readUInt32LE(52) !== 0) reader.stop("0 before the parent", `${head.readUInt32LE(52)}`)
  const [snapshot, writer, parent] = [16, 32, 56].map((at) => StoreId.fromBytes(head.subarray(at, at + 16)))
  return {
    pageSize,
    snapshot: snapshot ?? ZEROS,
    writer: writer ?? ZEROS,
    number: head.readUInt32LE(48),
    parent: parent === ZEROS ? undefined : parent
  }
}

const readPack = (reader: Reader): PackReference => {
  const bytes = reader.take(PACK_BYTES, "a pack")
  const trailerPosition = bytes.readBigUInt64LE(40)
  if (trailerPosition > BigInt(Number.MAX_SAFE_INTEGER)) reader.stop("a position below 2^53", `${trailerPosition}`)
  if (bytes.readBigUInt64LE(56) !== 0n) reader.stop("zeros before the salt", `${bytes.readBigUInt64LE(56)}`)
  return {
    snapshot: StoreId.fromBytes(bytes.subarray(0, 16)),
    writer: StoreId.fromBytes(bytes.subarray(16, 32)),
    number: bytes.readUInt32LE(32),
    frames: bytes.readUInt32LE(36),
    trailerPosition: Number(trailerPosition),
    pages: bytes.readUInt32LE(48),
    trailerBytes: bytes.readUInt32LE(52),
    salt: new Uint8Array(bytes.subarray(64, 80)),
    footerDigest: new Uint8Array(bytes.subarray(80, 112))
  }
}

const readColumn = (reader: Reader, bytes: number, count: number): Float64Array =>
  readLeb128(reader.take(bytes, "a column of runs"), count) ?? reader.stop(`${count} numbers in LEB128`, "other bytes")

const readRuns = (reader: Reader, storedPages: number, blockPages: number): Runs => {
  const count = reader.u32("the number of runs")
  const bytes = [0, 1, 2].map(() => reader.u32("the bytes of a column"))
  const kinds = readColumn(reader, bytes[0] ?? 0, count)
  if (kinds.some((kind) => kind > 1)) reader.stop("runs of kind 0 and 1", "another kind")
  const lengths = readColumn(reader, bytes[1] ?? 0, count)
  const isStored = (index: number) => kinds[index] === 1
  const stored = readColumn(reader, bytes[2] ?? 0, kinds.filter((kind) => kind === 1).length)
  const pages = new Float64Array(count).fill(-1)
  let [next, sum, index] = [0, 0, 0]
  for (let run = 0; run < count; run++) {
    const length = lengths[run] ?? 0
    if (length === 0) reader.stop("runs of at least one page", "a run without pages")
    sum += length
    if (!isStored(run)) continue
    const page = next + unZigZag(stored[index++] ?? 0)
    if (!(page >= 0 && page + length <= storedPages)) {
      reader.stop(`pages below ${storedPages}, as the packs have`, `${length} pages from ${page} on`)
    }
    pages[run] = page
    next = page + length
  }
  if (sum !== blockPages) reader.stop(`runs of ${blockPages} pages`, `${sum} pages`)
  return { lengths, pages }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const readName = (reader: Reader): string => {
  const bytes = reader.take(reader.take(2, "the length of a name").readUInt16LE(), "the name of a block")
  if (bytes.length === 0 || bytes.length > 255) reader.stop("a name of 1 to 255 bytes", `${bytes.length} bytes`)
  try {
    return utf8.decode(bytes)
  } catch {
    return reader.stop("a name in UTF-8", "bytes that are not")
  }
}

const readBlock = (reader: Reader, pageSize: number, storedPages: number): MapBlock => {
  const idstr = readName(reader)
  const usedLength = reader.u64("the length of a block")
  if (usedLength % pageSize !== 0) reader.stop(`a block of whole pages of ${pageSize}`, `${usedLength} bytes`)
  return { idstr, usedLength, runs: readRuns(reader, storedPages, usedLength / pageSize) }
}

const readMap = (reader: Reader): PageMap => {
  const header = readHeader(reader)
  const device = new Uint8Array(reader.take(reader.u32("the bytes of the device part"), "the device part"))
  const packs = Array.from({ length: bounded(reader, "packs", MAX_BYTES / PACK_BYTES) }, () => readPack(reader))
  const storedPages = packs.reduce((sum, pack) => sum + pack.pages, 0)
  const count = bounded(reader, "blocks", MAX_BLOCKS)
  const blocks = Array.from({ length: count }, () => readBlock(reader, header.pageSize, storedPages))
  if (new Set(blocks.map(({ idstr }) => idstr)).size !== count) reader.stop("blocks of different names", "a name twice")
  reader.end()
  return { ...header, device, packs, blocks }
}

const bounded = (reader: Reader, name: string, maximum: number): number => {
  const count = reader.u32(`the number of ${name}`)
  return count > maximum ? reader.stop(`at most ${Math.floor(maximum)} ${name}`, `${count}`) : count
}

const decompress = (bytes: Uint8Array): Buffer | undefined => {
  try {
    return zstdDecompressSync(bytes, { maxOutputLength: MAX_BYTES })
  } catch {
    return undefined
  }
}

/**
 * Reads a map. Fails with `store-map-corrupt` or `store-version-unsupported`. Offsets in findings count in the
 * decompressed map.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decode = (bytes: Uint8Array): Result.Result<PageMap, Finding.Finding> => {
  const plain = bytes.length > MAX_BYTES ? undefined : decompress(bytes)
  if (plain === undefined) {
    return found("store-map-corrupt", 0, `a zstd frame of at most ${MAX_BYTES} bytes`, `${bytes.length} bytes`)
  }
  try {
    return Result.succeed(readMap(new Reader(plain)))
  } catch (wrong) {
    if (wrong instanceof Wrong) return wrong.finding
    throw wrong
  }
}

/**
 * The finding of a map that differs from the committed one.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const mismatch = (expected: string, actual: string): Result.Result<never, Finding.Finding> =>
  found("store-map-corrupt", 0, `a map with SHA-256 ${expected}`, actual)
