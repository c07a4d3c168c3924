import type { AnnouncedBlock, Limits } from "./socketStreamModel.ts"
import { type Cursor, type Steps, stop } from "../../internal/cursor.ts"
import type { RamRecord } from "./framing.ts"

/**
 * Reads the list of blocks after the record that begins it. The list has no count: it ends where the lengths add up to
 * the total. It is therefore read entry by entry, which needs only bytes that the peer has sent.
 *
 * @internal
 */
export function* readAnnouncedBlocks(
  cursor: Cursor,
  { address: total, offset }: RamRecord,
  options: Limits & { readonly pageSize: number; readonly addresses: boolean }
): Steps<ReadonlyArray<AnnouncedBlock>> {
  const { maxBlocks, maxRam } = options
  if (total > maxRam) {
    yield* stop({ code: "bitmap-limit-exceeded", offset, expected: `at most ${maxRam} bytes`, found: `${total} bytes` })
  }
  const blocks = new Map<string, AnnouncedBlock>()
  let sum = 0
  while (sum < total) {
    const at = cursor.position
    if (blocks.size === maxBlocks) {
      yield* stop({ code: "block-limit-exceeded", offset: at, expected: `at most ${maxBlocks}`, found: "one more" })
    }
    const block = yield* readEntry(cursor, options)
    if (blocks.has(block.idstr)) yield* stopAtRepeated(block, at)
    blocks.set(block.idstr, block)
    sum += block.usedLength
  }
  if (sum > total) {
    const [expected, found] = [`${total} bytes in all blocks`, `at least ${sum} bytes`]
    yield* stop({ code: "total-mismatch", offset, expected, found })
  }
  return [...blocks.values()]
}

function* readEntry(
  cursor: Cursor,
  { addresses, pageSize }: { readonly pageSize: number; readonly addresses: boolean }
): Steps<AnnouncedBlock> {
  const offset = cursor.position
  const idstr = yield* cursor.str8("the name of a RAM block")
  if (idstr === "" || idstr.includes("\0")) {
    const found = `${idstr.length} characters that are not a name`
    yield* stop({ code: "name-invalid", offset, expected: "the name of a RAM block, without zero bytes", found })
  }
  const usedLength = yield* cursor.u64("the length of a RAM block")
  if (usedLength === 0 || usedLength % pageSize !== 0) {
    const [expected, found] = [`a positive multiple of ${pageSize}`, String(usedLength)]
    yield* stop({ code: "length-not-whole-pages", offset, block: idstr, expected, found })
  }
  if (!addresses) return { idstr, usedLength }
  return { idstr, usedLength, address: yield* cursor.u64("the address of a RAM block") }
}

const stopAtRepeated = ({ idstr }: AnnouncedBlock, offset: number) =>
  stop({ code: "block-duplicated", offset, block: idstr, expected: "each name once", found: "a second entry" })
