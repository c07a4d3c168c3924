/**
 * The present pages of blocks, range by range.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { PageBitmap } from "../ram/PageBitmap.ts"
import type * as RamBlock from "../ram/RamBlock.ts"

/** A block that knows its present pages. */
type Block<E> = RamBlock.Readable<E> & { readonly reader: { readonly present: PageBitmap } }

/** Bytes of one read, unless a unit is longer. */
const READ_BYTES = 1024 * 1024

/**
 * Bytes of a block that are read together: whole units.
 *
 * @internal
 */
export interface Range<B> {
  readonly block: B
  readonly offset: number
  readonly length: number
}

/** All present pages; absent pages are skipped without a read. */
function* ranges<B extends Block<unknown>>(
  blocks: ReadonlyArray<B>,
  { bytes = READ_BYTES, unit, within }: Omit<Options, "channels">
): Generator<Range<B>> {
  for (const block of blocks) {
    const { pageSize, reader, usedLength } = block
    const { offset: from, length: whole } = within ?? { offset: 0, length: usedLength }
    const end = (from + whole) / pageSize
    const size = Math.ceil(Math.max(unit, bytes, pageSize) / unit) * unit
    for (let page = from / pageSize; ;) {
      page = reader.present.nextSet(page, end)
      if (page === end) break
      const offset = Math.floor((page * pageSize) / size) * size
      const length = Math.min(size, from + whole - offset)
      yield { block, offset, length }
      page = (offset + length) / pageSize
    }
  }
}

/** Options of reading blocks. */
interface Options {
  readonly unit: number
  /** Concurrent ranges. */
  readonly channels: number
  /** Bytes of one range, unless a unit is longer. Default: 1 MiB. */
  readonly bytes?: number | undefined
  /** The part of each block to read, which begins with a unit. Default: all of it. */
  readonly within?: { readonly offset: number; readonly length: number } | undefined
}

/**
 * Reads all pages of blocks, several ranges of whole units at a time. The bytes are valid until `f` has ended.
 *
 * @internal
 */
export const forEachRange = <E, E2, B extends Block<E> = Block<E>>(
  blocks: ReadonlyArray<B & Block<E>>,
  options: Options,
  f: (range: Range<B>, read: Effect.Effect<Uint8Array, E>) => Effect.Effect<void, E2>
): Effect.Effect<void, E2> => {
  const all = ranges(blocks, options)
  const worker = Effect.suspend(() => {
    let buffer = new Uint8Array(0)
    const next: Effect.Effect<void, E2> = Effect.suspend(() => {
      const { done, value: range } = all.next()
      if (done === true) return Effect.void
      const { block, length, offset } = range
      const read = Effect.suspend(() => {
        if (buffer.length < length) buffer = new Uint8Array(length)
        const data = buffer.subarray(0, length)
        return Effect.as(block.reader.readInto(offset, data), data)
      })
      return Effect.andThen(f(range, read), next)
    })
    return next
  })
  return Effect.all(
    Array.from({ length: options.channels }, () => worker),
    { concurrency: "unbounded", discard: true }
  )
}
