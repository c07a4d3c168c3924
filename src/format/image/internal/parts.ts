import * as Invariant from "../../../ram/Invariant.ts"
import type { MappedBlock } from "./imageModel.ts"
import * as MappedRam from "../MappedRam.ts"
import { isPageSize } from "../../internal/pageSize.ts"

/** A range of the file that has one purpose. @internal */
export interface Part {
  readonly position: number
  readonly end: number
  /** Absolute position of the field that holds the part's position. */
  readonly field: number
  readonly block: string | undefined
  readonly what: string
}

/** The position after a block, where the stream continues. @internal */
export const behindBlock = ({ header, headerPosition, ignored, usedLength }: MappedBlock): number =>
  ignored ? headerPosition + MappedRam.HEADER_BYTES : header.pagesOffset + usedLength

/** The bitmap of a block, or `undefined` if there is none or its size is unknown. @internal */
export const bitmapPart = ({ header, headerPosition, idstr, ignored, usedLength }: MappedBlock): Part | undefined => {
  if (ignored || !isPageSize(header.pageSize)) return undefined
  const { bitmapOffset: position, pageSize } = header
  const end = position + MappedRam.bitmapLength({ idstr, usedLength, pageSize })
  return { position, end, field: headerPosition + MappedRam.BITMAP_OFFSET_AT, block: idstr, what: "a file bitmap" }
}

const pagesPart = (block: MappedBlock): Part | undefined => {
  const { header, headerPosition, idstr, ignored } = block
  if (ignored) return undefined
  const field = headerPosition + MappedRam.PAGES_OFFSET_AT
  return { position: header.pagesOffset, end: behindBlock(block), field, block: idstr, what: "a page region" }
}

/** The parts that a block refers to. @internal */
export const blockParts = (block: MappedBlock): ReadonlyArray<Part> =>
  [bitmapPart(block), pagesPart(block)].filter((part) => part !== undefined)

/**
 * Checks that a range shares no byte with any of the parts: none begins before its end and ends after its start. Parts
 * of a foreign layout may be nested, and there may be as many queries as parts.
 *
 * @internal
 */
export const freeBetween = (
  parts: ReadonlyArray<Pick<Part, "position" | "end">>
): ((position: number, end: number) => boolean) => {
  const sorted = parts.toSorted((a, b) => a.position - b.position)
  let reach = 0
  const reaches = sorted.map((part) => (reach = Math.max(reach, part.end)))
  return (position, end) => {
    let [low, high] = [0, sorted.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (Invariant.defined(sorted[middle], "the middle of a search is in the list").position < end) low = middle + 1
      else high = middle
    }
    return low === 0 || Invariant.defined(reaches[low - 1], "parts reach as far as they are many") <= position
  }
}

/**
 * Most bytes searched for the end of the device state: 1 GiB. Device states take some MiB. Without a limit, a device of
 * many TiB would be read to its end for a missing description.
 *
 * @internal
 */
export const MAX_STATE_BYTES = 1024 * 1024 * 1024

/**
 * The latest possible end of device state that begins at `from`: the next part of a block, or the end of the file.
 *
 * @internal
 */
export const stateLimit = (from: number, blocks: ReadonlyArray<MappedBlock>, fileSize: number): number =>
  blocks
    .flatMap(blockParts)
    .filter(({ end, position }) => position >= from && end > position)
    .reduce((limit, { position }) => Math.min(limit, position), Math.min(fileSize, from + MAX_STATE_BYTES))
