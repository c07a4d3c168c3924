/**
 * The mark of a sealed image: the commit record of its checksums.
 *
 * ```text
 *   … entry │ header │ bitmap │ 0 │ mark │ 0 │ page region, …
 *                                 ▲
 *                                 64 bytes in the padding of the first block that has room for them
 *
 *    0  8  "MFDsMark"
 *    8  u8   version 1                       9  u8   state: 1 sealing, 2 sealed, 3 partial
 *   10  u8   algorithm                      11  u8   0
 *   12  u32  CRC-32 of the mark, with zeros in this field
 *   16  u64  position of the seal, absolute 24  u64  length of the seal
 *   32  32   digest of mark (with zeros in this field and in that of the CRC) and seal, zeros behind it
 * ```
 *
 * All numbers are big-endian; all positions count from the start of the file. The mark is written last, and shows that
 * the rest is complete (see `ImageSeal`).
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Checksum from "./Checksum.ts"
import * as Finding from "../Finding.ts"
import * as ImageSeal from "./ImageSeal.ts"
import type { ByteRange, MappedBlock } from "../image/ImageStream.ts"
import { ByteWriter } from "../internal/byteWriter.ts"
import { crc32 } from "./internal/crc32.ts"
import { view } from "../internal/cursor.ts"
import { bitmapPart, blockParts, freeBetween } from "../image/internal/parts.ts"
import { corrupt, padded, VERSION } from "./internal/sealParts.ts"
import * as MappedRam from "../image/MappedRam.ts"

const MAGIC = Buffer.from("MFDsMark", "latin1")
const CRC_AT = 12
const DIGEST_AT = 32

/**
 * Bytes of a mark. Marks are aligned to it, so that none crosses a sector boundary.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const LENGTH: number = 64

/**
 * The contents of a mark. `sealing`: a seal was started there and not finished, so there are no checksums. `partial`:
 * the seal belongs to an unfinished save, and covers the pages written by then.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface SealMark {
  readonly state: "sealing" | "sealed" | "partial"
  readonly algorithm: Checksum.Algorithm
  /** Absolute position and length of the seal. While the seal is being written, only the position is known. */
  readonly seal: ByteRange
  /** Digest of mark and seal, in 32 bytes. */
  readonly digest: Uint8Array
}

/**
 * The position of the mark: the first gap with enough room between a bitmap and the page region after it. `undefined`
 * if there is none, which happens only with a foreign layout.
 *
 * @stability unstable
 * @category layout
 * @since 0.1.0
 */
export const position = (blocks: ReadonlyArray<MappedBlock>): number | undefined => {
  const isFree = freeBetween(
    blocks.flatMap((block) => {
      const { entryPosition, headerPosition } = block
      return [{ position: entryPosition, end: headerPosition + MappedRam.HEADER_BYTES }, ...blockParts(block)]
    })
  )
  for (const block of blocks) {
    const bitmap = bitmapPart(block)
    if (bitmap === undefined) continue
    const position = Math.ceil(bitmap.end / LENGTH) * LENGTH
    const end = position + LENGTH
    if (end <= block.header.pagesOffset && isFree(position, end)) return position
  }
  return undefined
}

const states = ["sealing", "sealed", "partial"] as const

const markBytes = ({ algorithm, seal, state }: Omit<SealMark, "digest">): ByteWriter =>
  new ByteWriter()
    .append(MAGIC)
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
 * Encodes a mark, 64 bytes.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encode = (mark: SealMark): Uint8Array => withCrc(markBytes(mark).append(padded(mark.digest)).finish())

/**
 * The digest in the mark of a seal, which proves that both belong together. With a key, it proves that the holder of
 * the key made them.
 *
 * @stability unstable
 * @category computing
 * @since 0.1.0
 */
export const digestOf = (
  mark: Omit<SealMark, "digest">,
  seal: Uint8Array,
  key?: Uint8Array | undefined
): Uint8Array => {
  const state = Checksum.hasher(mark.algorithm, key)
  state.update(markBytes(mark).finish())
  state.update(seal)
  return padded(state.digest())
}

/**
 * Reads the 64 bytes at `position` of the file, where a mark belongs. `undefined` if they do not look like one. Fails
 * with `seal-corrupt` or `seal-version-unsupported`.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decode = (bytes: Uint8Array, position: number): Result.Result<SealMark | undefined, Finding.Finding> => {
  if (bytes.length < LENGTH || !MAGIC.equals(bytes.subarray(0, MAGIC.length))) {
    return Result.succeed(undefined)
  }
  const head = view(bytes)
  const mark = bytes.subarray(0, LENGTH)
  if (view(withCrc(mark)).getUint32(CRC_AT) !== head.getUint32(CRC_AT)) {
    return Result.fail(corrupt(position, "a mark that matches its checksum", "another checksum"))
  }
  const algorithm = Checksum.fromCode(bytes[10] ?? 0)
  const state = states[(bytes[9] ?? 0) - 1]
  if (bytes[8] !== VERSION || algorithm === undefined || state === undefined) {
    const found = `version ${bytes[8]}, state ${bytes[9]}, algorithm ${bytes[10]}`
    const expected = `version ${VERSION} with a known state and algorithm`
    return Result.fail(Finding.make({ code: "seal-version-unsupported", offset: position + 8, expected, found }))
  }
  const seal = { position: Number(head.getBigUint64(16)), length: Number(head.getBigUint64(24)) }
  if (seal.position + seal.length > Number.MAX_SAFE_INTEGER || seal.length > ImageSeal.MAX_LENGTH) {
    return Result.fail(
      corrupt(position + 16, `a seal of at most ${ImageSeal.MAX_LENGTH} bytes`, `${seal.length} bytes`)
    )
  }
  return Result.succeed({ state, algorithm, seal, digest: mark.slice(DIGEST_AT) })
}
