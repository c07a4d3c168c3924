/**
 * The seal of a save that has not come to its end: checksums of the pages that it has written so far, and which these are.
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
 * The mark says `partial` and leads to one of the places; the next one is written to the other, made durable, and then the
 * mark is written over: whatever moment a process or the power ends at, the mark leads to a whole one. The digest in the
 * mark covers both parts.
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
 * What has been written of an image.
 *
 * @category models
 * @since 0.1.0
 */
export interface PartialSeal {
  readonly seal: ImageSeal.Seal
  /** The pages that the seal is about, for each of its blocks, in their order. */
  readonly bitmaps: ReadonlyArray<PageBitmap.PageBitmap>
}

/** What stands in front of the digests of a block, but for its name. */
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
 * The room that two partial seals of `length` bytes take behind the mark.
 *
 * @category layout
 * @since 0.1.0
 */
export const room = (length: number): number => ImageSeal.ALIGNMENT + 2 * ImageSeal.sealPosition(length)

/**
 * The two places for partial seals of `length` bytes in an image that has room for them. `undefined` where it has no place
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
 * A partial seal.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encode = ({ bitmaps, seal }: PartialSeal): Uint8Array =>
  bitmaps.reduce((out, { bytes }) => out.append(bytes), new ByteWriter().append(ImageSeal.encode(seal))).finish()

const corrupt = (offset: number, expected: string, found: string): Finding.Finding =>
  Finding.make({ code: "seal-corrupt", offset, expected, found })

/**
 * Reads a partial seal that lies at `position` of its file. Fails with `seal-corrupt` or `seal-version-unsupported`.
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
