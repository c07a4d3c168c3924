/**
 * Checks of an image beyond its records: overlapping parts, and bitmaps with pages outside the file.
 *
 * ```text
 *   0 ┌──────────────────────────────────────────────────────────────────────────────┐ file size
 *     │ anything │ stream │ bitmap │ stream │ page region │ gap │ page region │ …     │
 *     └──────────────────────────────────────────────────────────────────────────────┘
 *                 every part is a range of its own; the order is free, and so are gaps
 * ```
 *
 * @since 0.1.0
 */
import type { PageBitmap } from "../../ram/PageBitmap.ts"
import * as Finding from "../Finding.ts"
import type { MappedBlock, ParsedImage } from "./ImageStream.ts"
import { behindBlock, bitmapPart, blockParts, type Part } from "./internal/parts.ts"
import * as MappedRam from "./MappedRam.ts"

/**
 * Checks that the parts of an image share no byte, and that all bitmaps lie inside the file.
 *
 * **Details**
 *
 * QEMU checks none of this: it loads a page region that overlaps a bitmap or another region. Codes `regions-overlap`
 * and `bitmap-past-end`, at most two findings per block.
 *
 * @category checks
 * @since 0.1.0
 */
export const checkRegions = (options: {
  readonly image: ParsedImage
  /** Bytes in the file or device. */
  readonly fileSize: number
  /** The end of the stream, after the description. Default: the end of RAM's END, as far as the image was read. */
  readonly streamEnd?: number | undefined
}): ReadonlyArray<Finding.Finding> => {
  const { fileSize, image, streamEnd = image.stateStart } = options
  const parts = [...streamParts(image, streamEnd), ...image.blocks.flatMap(blockParts)]
  return [...pastTheEnd(image.blocks, fileSize), ...overlaps(parts)]
}

/** The stream is in pieces: up to the first entry, each entry with its header, and the rest after the last region. */
const streamParts = (image: ParsedImage, streamEnd: number | undefined): ReadonlyArray<Part> => {
  const { blocks, start } = image
  const what = "the migration stream"
  const first = blocks[0]?.entryPosition ?? streamEnd ?? start
  const parts: Array<Part> = [{ position: start, end: first, field: start, block: undefined, what }]
  for (const { entryPosition, headerPosition, idstr } of blocks) {
    const end = headerPosition + MappedRam.HEADER_BYTES
    parts.push({ position: entryPosition, end, field: entryPosition, block: idstr, what: "a block's entry" })
  }
  const last = blocks.at(-1)
  if (last !== undefined && streamEnd !== undefined) {
    const position = behindBlock(last)
    parts.push({ position, end: streamEnd, field: position, block: undefined, what })
  }
  return parts
}

const pastTheEnd = (blocks: ReadonlyArray<MappedBlock>, fileSize: number): ReadonlyArray<Finding.Finding> =>
  blocks
    .map(bitmapPart)
    .filter((part) => part !== undefined)
    .filter(({ end }) => end > fileSize)
    .map(({ block, end, field }) =>
      Finding.make({
        code: "bitmap-past-end",
        offset: field,
        block,
        expected: `a bitmap inside the ${fileSize} bytes of the file`,
        found: `one that ends at byte ${end}: at least ${end - fileSize} bytes are missing`
      })
    )

/** One pass in file order. Each part is compared with the earlier part that reaches furthest. */
const overlaps = (parts: ReadonlyArray<Part>): ReadonlyArray<Finding.Finding> => {
  const findings: Array<Finding.Finding> = []
  let reach: Part | undefined
  for (const part of parts.filter(({ end, position }) => end > position).toSorted((a, b) => a.position - b.position)) {
    if (reach !== undefined && part.position < reach.end) findings.push(overlap(part, reach))
    if (reach === undefined || part.end > reach.end) reach = part
  }
  return findings
}

const overlap = (part: Part, other: Part): Finding.Finding =>
  Finding.make({
    code: "regions-overlap",
    offset: part.field,
    block: part.block ?? other.block,
    expected: `bytes of its own for ${describe(part)}`,
    found: describe(other)
  })

const describe = ({ block, end, position, what }: Part): string =>
  `${what}${block === undefined ? "" : ` of "${block}"`} from ${position} to ${end}`

/**
 * Checks a block's bitmap against the file: every page whose bit is set must be complete.
 *
 * **Details**
 *
 * Codes `pages-past-end` (it crashes QEMU's multifd loader) and, as a warning, `bits-beyond-block`: bits past the last
 * page have no meaning, and QEMU writes none.
 *
 * @category checks
 * @since 0.1.0
 */
export const checkBitmap = (options: {
  readonly block: MappedBlock
  readonly bitmap: PageBitmap
  /** Bytes in the file or device. */
  readonly fileSize: number
}): ReadonlyArray<Finding.Finding> => {
  const { bitmap, block, fileSize } = options
  const { header, idstr } = block
  const findings: Array<Finding.Finding> = []
  const end = header.pagesOffset + (bitmap.lastSet() + 1) * header.pageSize
  if (bitmap.lastSet() >= 0 && end > fileSize) {
    const expected = `all pages inside the ${fileSize} bytes of the file`
    const found = `page ${bitmap.lastSet()}, which ends at byte ${end}: at least ${end - fileSize} bytes are missing`
    findings.push(Finding.make({ code: "pages-past-end", offset: header.bitmapOffset, block: idstr, expected, found }))
  }
  if (!bitmap.paddingIsClear()) {
    const offset = header.bitmapOffset + bitmap.bytes.length - 8
    const expected = `no bit after page ${bitmap.pages - 1}`
    findings.push(Finding.make({ code: "bits-beyond-block", offset, block: idstr, expected, found: "some" }))
  }
  return findings
}

/**
 * Checks the blocks against the page size in the description of the device state. Code `page-size-wrong`.
 *
 * @category checks
 * @since 0.1.0
 */
export const checkPageSize = (blocks: ReadonlyArray<MappedBlock>, described: number): ReadonlyArray<Finding.Finding> =>
  blocks
    .filter(({ header }) => header.pageSize !== described)
    .map(({ header, headerPosition, idstr }) =>
      Finding.make({
        code: "page-size-wrong",
        offset: headerPosition + MappedRam.PAGE_SIZE_AT,
        block: idstr,
        expected: `${described}, as in the description`,
        found: String(header.pageSize)
      })
    )
