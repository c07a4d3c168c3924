/**
 * The seal of an unfinished save: checksums of the pages written so far, and a list of these pages.
 *
 * ```text
 *   … header │ bitmap │ 0 │ mark │ 0 │ place A │ place B │ 0 │ page region …
 *                          64 bytes   ▲         ▲
 *                                     multiples of 4096, as long as each other
 *
 *   in a place   a seal (see `ImageSeal`), whose digest of everything but pages is zeros, with the notes that it began with
 *                the bitmaps of its blocks, one behind the other, 8 × ceil(pages / 64) bytes each
 * ```
 *
 * The mark has the state `partial` and leads to one of two places. The next seal is written to the other place and made
 * durable; then the mark is overwritten. Whenever the process or the power stops, the mark leads to a complete seal.
 * The digest in the mark covers both parts.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as PageBitmap from "../../ram/PageBitmap.ts"
import * as RamBlock from "../../ram/RamBlock.ts"
import * as Checksum from "./Checksum.ts"
import * as Finding from "../Finding.ts"
import * as ImageNotes from "./ImageNotes.ts"
import * as ImageSeal from "./ImageSeal.ts"
import type { MappedBlock } from "../image/ImageStream.ts"
import * as SealMark from "./SealMark.ts"
import { ByteWriter } from "../internal/byteWriter.ts"

/**
 * The part of an image that has been written.
 *
 * @category models
 * @since 0.1.0
 */
export interface PartialSeal {
  readonly seal: ImageSeal.Seal
  /** The pages that the seal covers, for each of its blocks, in order. */
  readonly bitmaps: ReadonlyArray<PageBitmap.PageBitmap>
}

/** Bytes before the digests of a block, without its name. */
const BLOCK_BYTES = 1 + 8 + 4 + 8 + 8

const utf8 = new TextEncoder()

/**
 * Bytes of the partial seal of an image with these blocks.
 *
 * @category layout
 * @since 0.1.0
 */
export const byteLength = (
  blocks: ReadonlyArray<RamBlock.Shape>,
  { algorithm, extentSize, notes }: Pick<ImageSeal.Seal, "algorithm" | "extentSize" | "notes">
): number =>
  blocks.reduce(
    (sum, block) => {
      const digests = ImageSeal.extentCount(block, extentSize) * Checksum.digestLength(algorithm)
      const bitmap = PageBitmap.byteLength(RamBlock.pageCount(block))
      return sum + BLOCK_BYTES + utf8.encode(block.idstr).length + digests + bitmap
    },
    ImageSeal.HEAD_LENGTH + ImageNotes.encode(notes).length
  )

/**
 * Bytes that two partial seals of `length` bytes take after the mark.
 *
 * @category layout
 * @since 0.1.0
 */
export const room = (length: number): number => ImageSeal.ALIGNMENT + 2 * ImageSeal.sealPosition(length)

/**
 * The two places for partial seals of `length` bytes in an image that has room for them. `undefined` if it has no room
 * for a mark.
 *
 * @category layout
 * @since 0.1.0
 */
export const places = (
  blocks: ReadonlyArray<MappedBlock>,
  length: number
): readonly [position: number, position: number] | undefined => {
  const mark = SealMark.position(blocks)
  if (mark === undefined) return undefined
  const first = ImageSeal.sealPosition(mark + SealMark.LENGTH)
  return [first, first + ImageSeal.sealPosition(length)]
}

/**
 * Encodes a partial seal.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encode = ({ bitmaps, seal }: PartialSeal): Uint8Array =>
  bitmaps.reduce((out, { bytes }) => out.append(bytes), new ByteWriter().append(ImageSeal.encode(seal))).finish()

const corrupt = (offset: number, expected: string, found: string): Finding.Finding =>
  Finding.make({ code: "seal-corrupt", offset, expected, found })

/**
 * Reads a partial seal at `position` of its file. Fails with `seal-corrupt` or `seal-version-unsupported`.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = (bytes: Uint8Array, position: number): Result.Result<PartialSeal, Finding.Finding> =>
  Result.flatMap(ImageSeal.decodeFirst(bytes, position), ({ end, value: seal }) => {
    const bitmaps: Array<PageBitmap.PageBitmap> = []
    let at = end
    for (const { pageSize, usedLength } of seal.blocks) {
      const pages = Math.ceil(usedLength / pageSize)
      const next = at + PageBitmap.byteLength(pages)
      if (!(next <= bytes.length))
        return Result.fail(corrupt(position + at, "the bitmap of a block", "the end of the seal"))
      bitmaps.push(PageBitmap.fromBytes(bytes.slice(at, next), pages))
      at = next
    }
    return at === bytes.length
      ? Result.succeed({ seal, bitmaps })
      : Result.fail(corrupt(position + at, "the end of the bitmaps", `${bytes.length - at} bytes more`))
  })
