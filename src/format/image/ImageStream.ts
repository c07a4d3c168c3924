/**
 * A mapped-ram image: a migration stream whose RAM section has room for the pages.
 *
 * ```text
 *   start  file header │ configuration │ prelude │ START "ram", total
 *          entry 1 │ header │ bitmap │ … page region 1
 *          entry 2 │ header │ bitmap │ … page region 2                 each entry begins where the region before it ends
 *          end of records, footer
 *          early device sections, PARTs, SWITCHOVER_START              in any order
 *          END, end of records, footer
 *   stateStart  device sections │ 00 │ 06, length, JSON description
 * ```
 *
 * Page regions and bitmaps may be anywhere in the file, so "after" refers to the stream and not to the file.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type { Parser } from "../Parser.ts"
import { checkBlocks } from "./internal/checkBlocks.ts"
import { attempt, Cursor } from "../internal/cursor.ts"
import { makeDraft } from "./internal/draft.ts"
import { encodeEnd, encodeHead } from "./internal/encodeImage.ts"
import { readImage } from "./internal/imageParser.ts"
import type { Configuration } from "../stream/MigrationStream.ts"
import type { ParsedImage, HeadBlock, ImageHead } from "./internal/imageModel.ts"

export type { ByteRange, HeadBlock, ImageHead, MappedBlock, ParsedImage, Piece } from "./internal/imageModel.ts"

/**
 * Reads an image up to the end of RAM, with all checks that need neither bitmaps nor the device state.
 *
 * **Details**
 *
 * Total: any bytes give a value, with findings for the problems. Reads only the records, by short read requests; the
 * number of records in the file bounds the time. If a device section comes before RAM's END, the description is
 * searched for, because nothing else has the section's length.
 *
 * **Example** (An image in memory)
 *
 * ```ts
 * import { Parser } from "effect-multifd/format"
 * import { ImageStream } from "effect-multifd/format"
 *
 * const bytes = new Uint8Array(0) // a whole image
 * const image = Parser.runSync(ImageStream.parse({ start: 0, fileSize: bytes.length }), bytes)
 * image.findings.map((finding) => finding.code) // => ["magic-wrong"]
 * ```
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export function* parse(options: {
  /** Byte offset of the stream in the file. */
  readonly start: number
  /** Bytes in the file or device. */
  readonly fileSize: number
}): Parser<ParsedImage> {
  const draft = makeDraft(options.start)
  const outcome = yield* attempt(readImage(draft, new Cursor(options.start, options.fileSize), options.fileSize))
  draft.findings.push(...checkBlocks(draft.blocks, draft.configuration))
  if (Result.isFailure(outcome)) draft.findings.push(outcome.failure)
  return draft
}

/**
 * QEMU's section id of RAM on all machines examined. Any other works.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const RAM_SECTION_ID: number = 1

/**
 * Lays out an image byte for byte as QEMU does, and encodes its head: header, configuration, prelude, and the block
 * list with the offsets of bitmaps and pages. The caller writes the bitmaps and pages.
 *
 * **Gotchas**
 *
 * Shapes must be valid. The configuration, if there is one, must list `mapped-ram`.
 *
 * **Example** (Offsets of the pages of a machine's RAM)
 *
 * ```ts
 * import { ImageStream } from "effect-multifd/format"
 *
 * const head = ImageStream.head({
 *   start: 0,
 *   configuration: { machine: "pc-i440fx-10.0", capabilities: ["mapped-ram"] },
 *   blocks: [{ idstr: "m", usedLength: 0x2000000, pageSize: 4096 }]
 * })
 * head.blocks[0]?.header // => { version: 1, pageSize: 4096, bitmapOffset: 137, pagesOffset: 1048576 }
 * ```
 *
 * @see {@link end} for what follows the last page region
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const head = (options: {
  /** Byte offset of the stream in the file. Default 0. */
  readonly start?: number | undefined
  readonly configuration: Configuration | undefined
  /** Commands and sections before RAM's START. */
  readonly prelude?: Uint8Array | undefined
  readonly blocks: ReadonlyArray<HeadBlock>
  readonly sectionId?: number | undefined
  /** Bytes between the bitmap of the first block and its pages, after the mark of a seal. Default 0. */
  readonly room?: number | undefined
}): ImageHead => {
  const {
    blocks,
    configuration,
    prelude = new Uint8Array(0),
    room = 0,
    sectionId = RAM_SECTION_ID,
    start = 0
  } = options
  return encodeHead({ start, configuration, prelude, blocks, sectionId, room })
}

/**
 * The bytes between the last page region and the device state: the end of RAM's START, early sections, RAM's END.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const end = (options: {
  readonly sectionId?: number | undefined
  /** Complete sections of devices that are set up early. */
  readonly early?: Uint8Array | undefined
  /** `true` to write SWITCHOVER_START: machine types 10.0 and later have it, older QEMUs do not know it. */
  readonly switchoverStart: boolean
  /** `true` if sections end with a footer. Default `true`. */
  readonly footers?: boolean | undefined
}): Uint8Array => {
  const { early = new Uint8Array(0), footers = true, sectionId = RAM_SECTION_ID, switchoverStart } = options
  return encodeEnd({ sectionId, early, switchoverStart, footers })
}
