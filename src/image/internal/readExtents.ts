import * as Effect from "effect/Effect"
import type { ImageBlock } from "../Image.ts"

/** Bytes that are read at once at the most, or one extent where that is more. */
const READ_BYTES = 1024 * 1024

/** Bytes of a block that are read together: whole extents. */
interface Range {
  readonly block: ImageBlock
  readonly offset: number
  readonly length: number
}

/** Everything that is present, range by range; what is not present for a while costs nothing. */
function* ranges(blocks: ReadonlyArray<ImageBlock>, extentSize: number): Generator<Range> {
  for (const block of blocks) {
    const { pageSize, reader, usedLength } = block
    const size = Math.max(extentSize, READ_BYTES, pageSize)
    for (let page = 0; ;) {
      page = reader.present.nextSet(page)
      if (page === reader.present.pages) break
      const offset = Math.floor((page * pageSize) / size) * size
      const length = Math.min(size, usedLength - offset)
      yield { block, offset, length }
      page = (offset + length) / pageSize
    }
  }
}

/**
 * Reads all pages of an image, several ranges of whole extents at a time. The bytes are valid until `f` has ended.
 *
 * @internal
 */
export const forEachRange = <E, E2>(
  blocks: ReadonlyArray<ImageBlock>,
  options: { readonly extentSize: number; readonly channels: number },
  f: (
    range: Range,
    read: Effect.Effect<Uint8Array, Effect.Error<ReturnType<ImageBlock["reader"]["readInto"]>>>
  ) => Effect.Effect<void, E | E2>
): Effect.Effect<void, E | E2> => {
  const all = ranges(blocks, options.extentSize)
  const worker = Effect.suspend(() => {
    let buffer = new Uint8Array(0)
    const next: Effect.Effect<void, E | E2> = Effect.suspend(() => {
      const { done, value: range } = all.next()
      if (done === true) return Effect.void
      const { block, length, offset } = range
      if (buffer.length < length) buffer = new Uint8Array(length)
      const data = buffer.subarray(0, length)
      return Effect.andThen(f(range, Effect.as(block.reader.readInto(offset, data), data)), next)
    })
    return next
  })
  return Effect.all(
    Array.from({ length: options.channels }, () => worker),
    { concurrency: "unbounded", discard: true }
  )
}
