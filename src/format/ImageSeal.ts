/**
 * The seal of an image: checksums of everything in it, where a QEMU that knows nothing of them does not look.
 *
 * ```text
 *   … entry │ header │ bitmap │ 0 │ mark │ 0 │ page region, … │ device state │ 00 │ 06 L JSON │ 0 │ seal
 *                                 ▲                                                           ▲   ▲ a multiple of 4096
 *                                 64 bytes in the padding of the first block                  end
 *
 *   mark   0  8  "MFDsMark"
 *          8  u8   version 1                       9  u8   state: 1 sealing, 2 sealed, 3 partial
 *         10  u8   algorithm                      11  u8   0
 *         12  u32  CRC-32 of the mark, with zeros in this field
 *         16  u64  position of the seal, absolute 24  u64  length of the seal
 *         32  32   digest of mark (with zeros in this field and in that of the CRC) and seal, zeros behind it
 *
 *   seal   0  8  "MFDsSeal"
 *          8  u8   version 1                       9  u8   algorithm
 *         10  u16  0                              12  u32  bytes of an extent
 *         16  u64  start of what is covered       24  u64  end of the stream
 *         32  u32  number of blocks               36  u32  0
 *         40  32   digest of everything but page regions, zeros behind it
 *         72  blocks: u8 length, name; u64 bytes; u32 page size; u64 bitmap; u64 pages; a digest for each extent
 * ```
 *
 * All numbers are big-endian, all positions count from the start of the file. The mark is written last, and says that
 * the rest is there.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { crc32 } from "node:zlib"
import type { Shape } from "../ram/RamBlock.ts"
import * as Checksum from "./Checksum.ts"
import * as Finding from "./Finding.ts"
import type { ByteRange, MappedBlock } from "./ImageStream.ts"
import { ByteWriter } from "./internal/byteWriter.ts"
import { decodeWith, type Cursor, type Steps, stop, view } from "./internal/cursor.ts"
import { behindBlock, bitmapPart, blockParts, freeBetween } from "./internal/parts.ts"
import * as MappedRam from "./MappedRam.ts"
import type { Decoded } from "./MigrationStream.ts"

/**
 * Bytes of a mark. Marks lie at multiples of it, so that none lies across two sectors.
 *
 * @category constants
 * @since 0.1.0
 */
export const MARK_LENGTH: number = 64

/**
 * Seals lie at multiples of it.
 *
 * @category constants
 * @since 0.1.0
 */
export const ALIGNMENT: number = 4096

/**
 * Bytes in an extent by default: 1 MiB, which makes 4 KiB of CRCs for each GiB of RAM.
 *
 * @category constants
 * @since 0.1.0
 */
export const DEFAULT_EXTENT_SIZE: number = 1024 * 1024

/**
 * The smallest and the largest extent: no page is larger than the default, and a reader holds one extent at a time.
 *
 * @category constants
 * @since 0.1.0
 */
export const extentSizes: { readonly minimum: number; readonly maximum: number } = {
  minimum: 64 * 1024,
  maximum: 16 * 1024 * 1024
}

/**
 * The longest seal that is read: SHA-256 of 16 TiB in extents of 1 MiB takes 512 MiB, and that of a save that has not come
 * to its end has bitmaps of as much. What asks for more is not allowed to take the memory.
 *
 * @category constants
 * @since 0.1.0
 */
export const MAX_LENGTH: number = 1024 * 1024 * 1024

const VERSION = 1
const MARK_MAGIC = Buffer.from("MFDsMark", "latin1")
const SEAL_MAGIC = Buffer.from("MFDsSeal", "latin1")
const CRC_AT = 12
const DIGEST_AT = 32
const DIGEST_ROOM = 32
/** Bytes of a seal in front of its blocks. @internal */
export const HEAD_LENGTH = 72

/**
 * What a mark says. `sealing`: somebody began to write a seal there, and has not come to its end; there are no checksums.
 * `partial`: the seal is that of a save that has not come to its end, and covers the pages that it had written.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mark {
  readonly state: "sealing" | "sealed" | "partial"
  readonly algorithm: Checksum.Algorithm
  /** Absolute position and length of the seal. While it is being written, the position is all that is known. */
  readonly seal: ByteRange
  /** Of mark and seal, in `DIGEST_ROOM` bytes. */
  readonly digest: Uint8Array
}

/**
 * A block as it was sealed.
 *
 * @category models
 * @since 0.1.0
 */
export interface SealedBlock extends Shape {
  readonly bitmapOffset: number
  readonly pagesOffset: number
  /** Of one extent after the other; zeros for those without a present page. */
  readonly digests: Uint8Array
}

/**
 * What a seal says of an image.
 *
 * @category models
 * @since 0.1.0
 */
export interface Seal {
  readonly algorithm: Checksum.Algorithm
  /** Bytes: a power of two, at least a page. */
  readonly extentSize: number
  /** Where the stream begins, or what libvirt put in front of it. */
  readonly start: number
  /** Behind the last byte of the stream. */
  readonly end: number
  /** Of everything that is not a page. */
  readonly rest: Uint8Array
  /** Those with pages, in the order of the stream. */
  readonly blocks: ReadonlyArray<SealedBlock>
}

/**
 * Where the seal of a stream belongs that ends at `end`.
 *
 * @category layout
 * @since 0.1.0
 */
export const sealPosition = (end: number): number => Math.ceil(end / ALIGNMENT) * ALIGNMENT

/**
 * Where the mark belongs: in the first gap between a bitmap and the page region behind it that has room. `undefined` where
 * there is none, which only a foreign layout can bring about.
 *
 * @category layout
 * @since 0.1.0
 */
export const markPosition = (blocks: ReadonlyArray<MappedBlock>): number | undefined => {
  const isFree = freeBetween(
    blocks.flatMap((block) => {
      const { entryPosition, headerPosition } = block
      return [{ position: entryPosition, end: headerPosition + MappedRam.HEADER_BYTES }, ...blockParts(block)]
    })
  )
  for (const block of blocks) {
    const bitmap = bitmapPart(block)
    if (bitmap === undefined) continue
    const position = Math.ceil(bitmap.end / MARK_LENGTH) * MARK_LENGTH
    const end = position + MARK_LENGTH
    if (end <= block.header.pagesOffset && isFree(position, end)) return position
  }
  return undefined
}

/**
 * Everything of an image but its pages, its mark and its seal, in the order in which its digest is made: the stream in its
 * pieces, then the bitmaps.
 *
 * @category layout
 * @since 0.1.0
 */
export const restOf = (options: {
  /** Where the stream begins, or what libvirt put in front of it. */
  readonly start: number
  readonly end: number
  readonly blocks: ReadonlyArray<MappedBlock>
}): ReadonlyArray<ByteRange> => {
  const { blocks, end, start } = options
  const pieces: Array<ByteRange> = []
  let position = start
  for (const block of blocks) {
    const { headerPosition } = block
    const behindHeader = headerPosition + MappedRam.HEADER_BYTES
    pieces.push({ position, length: behindHeader - position })
    position = behindBlock(block)
  }
  pieces.push({ position, length: end - position })
  const bitmaps = blocks
    .map(bitmapPart)
    .filter((part) => part !== undefined)
    .map((part) => ({ position: part.position, length: part.end - part.position }))
  return [...pieces, ...bitmaps].filter(({ length }) => length > 0)
}

/**
 * What goes into the digest in front of the bytes of each range: where it lies.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encodeRange = ({ length, position }: ByteRange): Uint8Array =>
  new ByteWriter().u64(position).u64(length).finish()

const padded = (digest: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(DIGEST_ROOM)
  bytes.set(digest)
  return bytes
}

/**
 * The number of extents of a block.
 *
 * @category getters
 * @since 0.1.0
 */
export const extentCount = ({ usedLength }: Shape, extentSize: number): number => Math.ceil(usedLength / extentSize)

/**
 * A seal.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encode = (seal: Seal): Uint8Array => {
  const out = new ByteWriter().append(SEAL_MAGIC).u8(VERSION).u8(Checksum.algorithms[seal.algorithm]).u16(0)
  out.u32(seal.extentSize).u64(seal.start).u64(seal.end).u32(seal.blocks.length).u32(0).append(padded(seal.rest))
  for (const { bitmapOffset, digests, idstr, pageSize, pagesOffset, usedLength } of seal.blocks) {
    out.str8(idstr).u64(usedLength).u32(pageSize).u64(bitmapOffset).u64(pagesOffset).append(digests)
  }
  return out.finish()
}

/**
 * Whether bytes begin like a seal.
 *
 * @category guards
 * @since 0.1.0
 */
export const isSeal = (bytes: Uint8Array): boolean => SEAL_MAGIC.equals(bytes.subarray(0, SEAL_MAGIC.length))

/**
 * Reads a seal that lies at `position` of its file. Fails with `seal-corrupt` or `seal-version-unsupported`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = (bytes: Uint8Array, position: number): Result.Result<Seal, Finding.Finding> =>
  Result.flatMap(decodeFirst(bytes, position), ({ end, value }) =>
    end === bytes.length
      ? Result.succeed(value)
      : Result.fail(corrupt(position + end, "the end of the seal", `${bytes.length - end} bytes more`))
  )

/** The same where something else may follow, from `end` on. @internal */
export const decodeFirst = (bytes: Uint8Array, position: number): Result.Result<Decoded<Seal>, Finding.Finding> =>
  decodePart(bytes, position, readSeal)

const decodePart = <A>(
  bytes: Uint8Array,
  position: number,
  read: (cursor: Cursor) => Steps<A>
): Result.Result<Decoded<A>, Finding.Finding> =>
  Result.mapError(decodeWith(bytes, 0, read), ({ code, expected, found, offset }) => {
    const same = code === "seal-version-unsupported" ? code : "seal-corrupt"
    return Finding.make({ code: same, offset: position + offset, expected, found })
  })

const corrupt = (offset: number, expected: string, found: string): Finding.Finding =>
  Finding.make({ code: "seal-corrupt", offset, expected, found })

type Head = Omit<Seal, "blocks">

/** Reads what stands in front of the blocks. @internal */
export const decodeHead = (bytes: Uint8Array, position: number): Result.Result<Head, Finding.Finding> =>
  Result.map(decodePart(bytes, position, readHead), ({ value }) => value[0])

function* readHead(cursor: Cursor): Steps<readonly [head: Head, blocks: number]> {
  const fixed = yield* cursor.take(HEAD_LENGTH, "the head of a seal")
  const head = view(fixed)
  if (!isSeal(fixed)) yield* stop({ code: "seal-corrupt", offset: 0, expected: "a seal", found: "something else" })
  if (fixed[8] !== VERSION) yield* unknownVersion(8, fixed[8]!)
  const algorithm = Checksum.fromCode(fixed[9]!)
  const extentSize = head.getUint32(12)
  if (algorithm === undefined) return yield* unknownAlgorithm(9, fixed[9]!)
  if (!isExtentSize(extentSize)) {
    yield* stop({ code: "seal-corrupt", offset: 12, expected: "a size of extents", found: String(extentSize) })
  }
  const [start, end] = [Number(head.getBigUint64(16)), Number(head.getBigUint64(24))]
  const rest = fixed.slice(40, 40 + Checksum.digestLength(algorithm))
  return [{ algorithm, extentSize, start, end, rest }, head.getUint32(32)]
}

function* readSeal(cursor: Cursor): Steps<Seal> {
  const [head, count] = yield* readHead(cursor)
  const { algorithm, extentSize } = head
  const blocks: Array<SealedBlock> = []
  for (let left = count; left > 0; left--) blocks.push(yield* readBlock(cursor, algorithm, extentSize))
  return { ...head, blocks }
}

function* readBlock(cursor: Cursor, algorithm: Checksum.Algorithm, extentSize: number): Steps<SealedBlock> {
  const idstr = yield* cursor.str8("the name of a block")
  const usedLength = yield* cursor.u64("the length of a block")
  const pageSize = yield* pageSizeIn(cursor, extentSize)
  const bitmapOffset = yield* cursor.u64("the offset of a bitmap")
  const pagesOffset = yield* cursor.u64("the offset of a page region")
  const shape = { idstr, usedLength, pageSize }
  const length = extentCount(shape, extentSize) * Checksum.digestLength(algorithm)
  return { ...shape, bitmapOffset, pagesOffset, digests: yield* cursor.take(length, "the digests of a block") }
}

/** An extent is whole pages: who compares one with its digest counts on that. */
function* pageSizeIn(cursor: Cursor, extentSize: number): Steps<number> {
  const offset = cursor.position
  const pageSize = yield* cursor.u32("the page size of a block")
  if (extentSize % pageSize === 0) return pageSize
  const expected = `a page size that extents of ${extentSize} bytes are made of`
  return yield* stop({ code: "seal-corrupt", offset, expected, found: String(pageSize) })
}

const unknownVersion = (offset: number, found: number) =>
  stop({ code: "seal-version-unsupported", offset, expected: `version ${VERSION}`, found: String(found) })

const unknownAlgorithm = (offset: number, found: number) =>
  stop({ code: "seal-version-unsupported", offset, expected: "a known algorithm", found: String(found) })

/**
 * Whether extents can have this size.
 *
 * @category guards
 * @since 0.1.0
 */
export const isExtentSize = (size: number): boolean =>
  size >= extentSizes.minimum && size <= extentSizes.maximum && Number.isInteger(Math.log2(size))

const states = ["sealing", "sealed", "partial"] as const

const markBytes = ({ algorithm, seal, state }: Omit<Mark, "digest">): ByteWriter =>
  new ByteWriter()
    .append(MARK_MAGIC)
    .u8(VERSION)
    .u8(states.indexOf(state) + 1)
    .u8(Checksum.algorithms[algorithm])
    .u8(0)
    .u32(0)
    .u64(seal.position)
    .u64(seal.length)

const withCrc = (bytes: Uint8Array): Uint8Array => {
  const checked = bytes.slice()
  view(checked).setUint32(CRC_AT, 0)
  view(checked).setUint32(CRC_AT, crc32(checked))
  return checked
}

/**
 * A mark, 64 bytes.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encodeMark = (mark: Mark): Uint8Array => withCrc(markBytes(mark).append(padded(mark.digest)).finish())

/**
 * The digest that the mark of a seal has, which says that both belong together; with a key, that they were made by who
 * has it.
 *
 * @category computing
 * @since 0.1.0
 */
export const digestOf = (mark: Omit<Mark, "digest">, seal: Uint8Array, key?: Uint8Array | undefined): Uint8Array => {
  const state = Checksum.hasher(mark.algorithm, key)
  state.update(markBytes(mark).finish())
  state.update(seal)
  return padded(state.digest())
}

/**
 * Reads the 64 bytes where a mark belongs that lie at `position` of their file: `undefined` where nothing looks like one.
 * Fails with `seal-corrupt` or `seal-version-unsupported`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decodeMark = (bytes: Uint8Array, position: number): Result.Result<Mark | undefined, Finding.Finding> => {
  if (bytes.length < MARK_LENGTH || !MARK_MAGIC.equals(bytes.subarray(0, MARK_MAGIC.length))) {
    return Result.succeed(undefined)
  }
  const head = view(bytes)
  const mark = bytes.subarray(0, MARK_LENGTH)
  if (view(withCrc(mark)).getUint32(CRC_AT) !== head.getUint32(CRC_AT)) {
    return Result.fail(corrupt(position, "a mark whose checksum is right", "another checksum"))
  }
  const algorithm = Checksum.fromCode(bytes[10]!)
  const state = states[bytes[9]! - 1]
  if (bytes[8] !== VERSION || algorithm === undefined || state === undefined) {
    const found = `version ${bytes[8]}, state ${bytes[9]}, algorithm ${bytes[10]}`
    const expected = `version ${VERSION} with a known state and algorithm`
    return Result.fail(Finding.make({ code: "seal-version-unsupported", offset: position + 8, expected, found }))
  }
  const seal = { position: Number(head.getBigUint64(16)), length: Number(head.getBigUint64(24)) }
  if (seal.position + seal.length > Number.MAX_SAFE_INTEGER || seal.length > MAX_LENGTH) {
    return Result.fail(corrupt(position + 16, `a seal of at most ${MAX_LENGTH} bytes`, `${seal.length} bytes`))
  }
  return Result.succeed({ state, algorithm, seal, digest: mark.slice(DIGEST_AT) })
}
