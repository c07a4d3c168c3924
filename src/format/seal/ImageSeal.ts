/**
 * The seal of an image: checksums of all its contents, at positions that QEMU does not read. A mark leads to it (see
 * `SealMark`).
 *
 * ```text
 *   … entry │ header │ bitmap │ 0 │ mark │ 0 │ page region, … │ device state │ 00 │ 06 L JSON │ 0 │ seal
 *                                                                                             ▲   ▲ a multiple of 4096
 *                                                                                             end
 *    0  8  "MFDsSeal"
 *    8  u8   version 1                       9  u8   algorithm
 *   10  u16  0                              12  u32  bytes of an extent
 *   16  u64  start of what is covered       24  u64  end of the stream
 *   32  u32  number of blocks               36  u32  bytes of the notes
 *   40  32   digest of everything but page regions, zeros behind it
 *   72  blocks: u8 length, name; u64 bytes; u32 page size; u64 bitmap; u64 pages; a digest for each extent
 *       notes (see `ImageNotes`)
 * ```
 *
 * All numbers are big-endian; all positions count from the start of the file.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type { Shape } from "../../ram/RamBlock.ts"
import * as Checksum from "./Checksum.ts"
import * as Finding from "../Finding.ts"
import * as ImageNotes from "./ImageNotes.ts"
import type { ByteRange, MappedBlock } from "../image/ImageStream.ts"
import { ByteWriter } from "../internal/byteWriter.ts"
import { decodeWith, type Cursor, type Steps, stop, view } from "../internal/cursor.ts"
import { behindBlock, bitmapPart } from "../image/internal/parts.ts"
import { corrupt, padded, VERSION } from "./internal/sealParts.ts"
import * as MappedRam from "../image/MappedRam.ts"
import type { Decoded } from "../stream/MigrationStream.ts"

/**
 * Alignment of seals in the file.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const ALIGNMENT: number = 4096

/**
 * Bytes in an extent by default: 1 MiB, which makes 4 KiB of CRCs for each GiB of RAM.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const DEFAULT_EXTENT_SIZE: number = 1024 * 1024

/**
 * The smallest and the largest extent. No page is larger than the default, and a reader holds one extent at a time.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const extentSizes: { readonly minimum: number; readonly maximum: number } = {
  minimum: 64 * 1024,
  maximum: 16 * 1024 * 1024
}

/**
 * Longest seal that is read: SHA-256 of 16 TiB in extents of 1 MiB takes 512 MiB, and a partial seal has bitmaps of up
 * to the same size. A longer one is refused before any memory is allocated.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const MAX_LENGTH: number = 1024 * 1024 * 1024

const MAGIC = Buffer.from("MFDsSeal", "latin1")

/** Bytes of a seal before its blocks. @internal */
export const HEAD_LENGTH = 72

/**
 * A sealed block.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface SealedBlock extends Shape {
  readonly bitmapOffset: number
  readonly pagesOffset: number
  /** Digests of all extents, in order; zeros for those without a present page. */
  readonly digests: Uint8Array
}

/**
 * The contents of a seal.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Seal {
  readonly algorithm: Checksum.Algorithm
  /** Bytes: a power of two, at least a page. */
  readonly extentSize: number
  /** The start of the stream, or of the libvirt header before it. */
  readonly start: number
  /** The end of the stream. */
  readonly end: number
  /** Digest of everything except pages. */
  readonly rest: Uint8Array
  /** The blocks with pages, in the order of the stream. */
  readonly blocks: ReadonlyArray<SealedBlock>
  /** Further notes on the image. */
  readonly notes: ImageNotes.ImageNotes
}

/**
 * The position of the seal of a stream that ends at `end`.
 *
 * @stability unstable
 * @category layout
 * @since 0.1.0
 */
export const sealPosition = (end: number): number => Math.ceil(end / ALIGNMENT) * ALIGNMENT

/**
 * The ranges of an image without its pages, its mark and its seal, in the order of their digest: the stream in its
 * pieces, then the bitmaps.
 *
 * @stability unstable
 * @category layout
 * @since 0.1.0
 */
export const restOf = (options: {
  /** The start of the stream, or of the libvirt header before it. */
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
 * Each range goes into the digest after its position and length.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeRange = ({ length, position }: ByteRange): Uint8Array =>
  new ByteWriter().u64(position).u64(length).finish()

/**
 * The number of extents of a block.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const extentCount = ({ usedLength }: Shape, extentSize: number): number => Math.ceil(usedLength / extentSize)

/**
 * Encodes a seal.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encode = (seal: Seal): Uint8Array => {
  const out = new ByteWriter().append(MAGIC).u8(VERSION).u8(Checksum.algorithms[seal.algorithm]).u16(0)
  const notes = ImageNotes.encode(seal.notes)
  out.u32(seal.extentSize).u64(seal.start).u64(seal.end)
  out.u32(seal.blocks.length).u32(notes.length).append(padded(seal.rest))
  for (const { bitmapOffset, digests, idstr, pageSize, pagesOffset, usedLength } of seal.blocks) {
    out.str8(idstr).u64(usedLength).u32(pageSize).u64(bitmapOffset).u64(pagesOffset).append(digests)
  }
  return out.append(notes).finish()
}

/**
 * `true` if bytes begin like a seal.
 *
 * @stability unstable
 * @category guards
 * @since 0.1.0
 */
export const isSeal = (bytes: Uint8Array): boolean => MAGIC.equals(bytes.subarray(0, MAGIC.length))

/**
 * Reads a seal at `position` of its file. Fails with `seal-corrupt` or `seal-version-unsupported`.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decode = (bytes: Uint8Array, position: number): Result.Result<Seal, Finding.Finding> =>
  Result.flatMap(decodeFirst(bytes, position), ({ end, value }) =>
    end === bytes.length
      ? Result.succeed(value)
      : Result.fail(corrupt(position + end, "the end of the seal", `${bytes.length - end} bytes more`))
  )

/** Like `decode`, but other data may follow the seal. @internal */
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

type Head = Omit<Seal, "blocks" | "notes">

/** Reads the part before the blocks. @internal */
export const decodeHead = (bytes: Uint8Array, position: number): Result.Result<Head, Finding.Finding> =>
  Result.map(decodePart(bytes, position, readHead), ({ value }) => value.head)

function* readHead(
  cursor: Cursor
): Steps<{ readonly head: Head; readonly blocks: number; readonly notesLength: number }> {
  const fixed = yield* cursor.take(HEAD_LENGTH, "the head of a seal")
  const fields = view(fixed)
  if (!isSeal(fixed)) yield* stop({ code: "seal-corrupt", offset: 0, expected: "a seal", found: "something else" })
  if (fixed[8] !== VERSION) yield* unknownVersion(8, fixed[8] ?? 0)
  const algorithm = Checksum.fromCode(fixed[9] ?? 0)
  const extentSize = fields.getUint32(12)
  if (algorithm === undefined) return yield* unknownAlgorithm(9, fixed[9] ?? 0)
  if (!isExtentSize(extentSize)) {
    yield* stop({ code: "seal-corrupt", offset: 12, expected: "a valid extent size", found: String(extentSize) })
  }
  const [start, end] = [Number(fields.getBigUint64(16)), Number(fields.getBigUint64(24))]
  const rest = fixed.slice(40, 40 + Checksum.digestLength(algorithm))
  const head = { algorithm, extentSize, start, end, rest }
  return { head, blocks: fields.getUint32(32), notesLength: fields.getUint32(36) }
}

function* readSeal(cursor: Cursor): Steps<Seal> {
  const { blocks: count, head, notesLength } = yield* readHead(cursor)
  const { algorithm, extentSize } = head
  const blocks: Array<SealedBlock> = []
  for (let left = count; left > 0; left--) blocks.push(yield* readBlock(cursor, algorithm, extentSize))
  return { ...head, blocks, notes: yield* readNotes(cursor, notesLength) }
}

function* readNotes(cursor: Cursor, length: number): Steps<ImageNotes.ImageNotes> {
  const at = cursor.position
  if (length > ImageNotes.MAX_LENGTH) {
    const expected = `notes of at most ${ImageNotes.MAX_LENGTH} bytes`
    yield* stop({ code: "seal-corrupt", offset: 36, expected, found: `${length} bytes` })
  }
  const notes = ImageNotes.decode(yield* cursor.take(length, "the notes of an image"), at)
  return Result.isSuccess(notes) ? notes.success : yield* stop(notes.failure)
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

/** An extent is whole pages: comparing one with its digest relies on that. */
function* pageSizeIn(cursor: Cursor, extentSize: number): Steps<number> {
  const offset = cursor.position
  const pageSize = yield* cursor.u32("the page size of a block")
  if (extentSize % pageSize === 0) return pageSize
  const expected = `a page size that divides extents of ${extentSize} bytes`
  return yield* stop({ code: "seal-corrupt", offset, expected, found: String(pageSize) })
}

const unknownVersion = (offset: number, found: number) =>
  stop({ code: "seal-version-unsupported", offset, expected: `version ${VERSION}`, found: String(found) })

const unknownAlgorithm = (offset: number, found: number) =>
  stop({ code: "seal-version-unsupported", offset, expected: "a known algorithm", found: String(found) })

/**
 * `true` for a valid extent size.
 *
 * @stability unstable
 * @category guards
 * @since 0.1.0
 */
export const isExtentSize = (size: number): boolean =>
  size >= extentSizes.minimum && size <= extentSizes.maximum && Number.isInteger(Math.log2(size))
