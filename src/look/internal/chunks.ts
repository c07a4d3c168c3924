/** The pieces of blocks that can hold anything but zeros. */
import type { PageBitmap } from "../../ram/PageBitmap.ts"

/** A block that knows its present pages. */
export interface Part {
  readonly pageSize: number
  readonly usedLength: number
  readonly reader: { readonly present: PageBitmap }
}

/** Bytes of a piece, unless the unit of the source is longer. */
const CHUNK_BYTES = 1024 * 1024

/** Bytes of a piece: whole units of each source, which are powers of two. */
export const chunkSize = (...sources: ReadonlyArray<{ readonly readUnit: number }>): number => {
  const unit = Math.max(...sources.map(({ readUnit }) => readUnit))
  return Math.ceil(Math.max(CHUNK_BYTES, unit) / unit) * unit
}

/** The offset of the first present page that ends after `from`. */
const nextPresent = ({ pageSize, reader: { present }, usedLength }: Part, from: number): number => {
  if (from >= usedLength) return Infinity
  const page = present.nextSet(Math.floor(from / pageSize))
  return page === present.pages ? Infinity : page * pageSize
}

/**
 * The offsets of all pieces of `size` bytes that have a present page of one of the blocks, or are less than `reach`
 * bytes away from one, in ascending order.
 */
export function* chunkStarts(parts: ReadonlyArray<Part>, size: number, reach = 0): Generator<number> {
  const end = Math.max(0, ...parts.map(({ usedLength }) => usedLength))
  for (let next = 0; next < end; next += size) {
    const page = Math.min(...parts.map((part) => nextPresent(part, Math.max(0, next - reach))))
    if (page === Infinity) return
    next = Math.max(next, Math.floor(Math.max(0, page - reach) / size) * size)
    yield next
  }
}

/** Bytes of a page, or of an absent page: `length` at `offset` are present if one of their pages is. */
export const isPresent = ({ pageSize, reader: { present } }: Part, offset: number, length: number): boolean => {
  const end = Math.ceil((offset + length) / pageSize)
  return present.nextSet(Math.floor(offset / pageSize), end) < end
}
