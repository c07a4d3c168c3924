import * as Finding from "../../Finding.ts"
import * as ForeignFile from "../../image/ForeignFile.ts"
import * as MappedRam from "../../image/MappedRam.ts"
import type { Configuration } from "../MigrationStream.ts"
import { type Cursor, type Steps, stop, view } from "../../internal/cursor.ts"
import type { Draft } from "../../image/internal/draft.ts"
import type { RamRecord } from "./framing.ts"
import { isPageSize } from "../../internal/pageSize.ts"

/**
 * A machine has a block for each bank of RAM, firmware image and device with memory of its own: a few dozen, and some
 * thousands in the largest.
 *
 * @internal
 */
export const MAX_BLOCKS = 65536

const ADDRESS_BYTES = 8

/** The end of the longest form of an entry, counted from the end of the block's length. */
const LOOKAHEAD_BYTES = ADDRESS_BYTES + MappedRam.HEADER_BYTES

/**
 * Reads the list of blocks into the draft, following it from page region to page region.
 *
 * The list has no count; QEMU reads until the lengths add up to the total. A name is never empty and the data after the
 * list begins with a zero byte, so the end is visible as well, and a wrong total does not prevent reading the rest.
 *
 * @internal
 */
export function* readBlockList(draft: Draft, cursor: Cursor, { address: total, offset }: RamRecord): Steps<void> {
  const visited = new Set<number>()
  let addresses = addressesListed(draft.configuration)
  let sum = 0
  while (yield* entryFollows(cursor)) {
    const entryPosition = cursor.position
    if (visited.has(entryPosition)) yield* stopInCircle(entryPosition)
    visited.add(entryPosition)
    if (draft.blocks.length === MAX_BLOCKS) yield* stopAtLimit(entryPosition)
    const name = yield* cursor.str8("the name of a RAM block")
    const usedLength = yield* cursor.u64("the length of a RAM block")
    addresses ??= yield* addressFollows(cursor)
    const address = addresses ? { address: yield* cursor.u64("the address of a RAM block") } : {}
    const headerPosition = cursor.position
    const header = yield* MappedRam.readHeader(cursor)
    const ignored = addresses && header.bitmapOffset === 0 && header.pagesOffset === 0
    const idstr = isEntry(header) ? name : `no block at byte ${entryPosition}`
    draft.blocks.push({ idstr, usedLength, ...address, entryPosition, headerPosition, header, ignored })
    sum += usedLength
    if (!ignored) yield* jump(cursor, header.pagesOffset + usedLength, headerPosition)
  }
  if (sum !== total) {
    draft.findings.push(
      Finding.make({ code: "total-mismatch", offset, expected: `${total} bytes in all blocks`, found: `${sum} bytes` })
    )
  }
}

/**
 * `true` if this can be the header of an entry. A damaged offset leads into the pages, where a "name" is guest memory,
 * which must not get into a message.
 */
const isEntry = ({ pageSize, version }: MappedRam.Header): boolean =>
  version === MappedRam.HEADER_VERSION || isPageSize(pageSize)

function* entryFollows(cursor: Cursor): Steps<boolean> {
  const [first] = yield* cursor.peek(1)
  if (first !== undefined) return first !== 0
  const { position } = cursor
  const expected = "another RAM block, or the end of the list"
  return yield* stop({ code: "stream-cut", offset: position, expected, found: cursor.endBefore(position + 1) })
}

/**
 * `true` if entries have a guest address; `undefined` if the configuration, which has that information, was left out.
 */
const addressesListed = (configuration: Configuration | undefined): boolean | undefined =>
  configuration?.capabilities.includes("x-ignore-shared")

/** Without a configuration, the page size after a block's length shows the form of the entry. */
function* addressFollows(cursor: Cursor): Steps<boolean> {
  const bytes = yield* cursor.peek(LOOKAHEAD_BYTES)
  if (pageSizeAt(bytes, 0)) return false
  if (pageSizeAt(bytes, ADDRESS_BYTES)) return true
  const isCut = bytes.length < LOOKAHEAD_BYTES
  return yield* stop({
    code: isCut ? "stream-cut" : "mapped-ram-missing",
    offset: cursor.position,
    expected: "a mapped-ram header after the first block",
    found: isCut ? `${bytes.length} bytes without one` : ForeignFile.describe(ForeignFile.plainStream)
  })
}

/** `true` if a header at this position would have a valid page size. */
const pageSizeAt = (bytes: Uint8Array, at: number): boolean =>
  bytes.length >= at + 12 && isPageSize(Number(view(bytes).getBigUint64(at + 4)))

function* jump(cursor: Cursor, position: number, offset: number): Steps<void> {
  if (position > Number.MAX_SAFE_INTEGER) {
    const expected = "the end of a page region below 2^53"
    yield* stop({ code: "number-too-large", offset, expected, found: String(position) })
  }
  cursor.position = position
}

const stopInCircle = (offset: number) =>
  stop({ code: "records-loop", offset, expected: "a new entry", found: "an entry that was read before" })

const stopAtLimit = (offset: number) =>
  stop({ code: "block-limit-exceeded", offset, expected: `at most ${MAX_BLOCKS} RAM blocks`, found: "one more" })
