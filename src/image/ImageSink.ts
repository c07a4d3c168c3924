/**
 * The destination of arriving pages in a mapped-ram image.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as FileError from "../io/files/FileError.ts"
import type { PositionalFile } from "../io/files/PositionalFile.ts"
import * as PageRuns from "../ram/PageRuns.ts"
import type * as RamBlock from "../ram/RamBlock.ts"
import * as PageSink from "../transfer/PageSink.ts"
import * as TransferCounters from "../transfer/TransferCounters.ts"
import type { Target } from "./FileChannel.ts"

/**
 * Options of an image sink.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly shape: RamBlock.Shape
  /** The image, open for reading and writing. */
  readonly file: PositionalFile
  /**
   * The destination of the pages, and the bitmap of those in the file, which belongs to the writer of the block's
   * header.
   */
  readonly target: Target
  readonly coalescePages: number
  /** `true` if `file` bypasses the page cache. Default false. */
  readonly directIo?: boolean | undefined
  readonly counters?: TransferCounters.TransferCounters | undefined
  /** Called with the number of written bytes, such as `SyncAhead`'s. */
  readonly written?: ((bytes: number) => void) | undefined
}

/**
 * Writes pages to their offsets in a mapped-ram image. A page that has become zero has its bit cleared; its bytes stay
 * in the file without meaning.
 *
 * **Failure effect**: some of the pages may be in the file; their bits are not set.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): PageSink.PageSink<FileError.FileError> => {
  const { counters, file, shape, target, written } = options
  const { idstr, pageSize, usedLength } = shape
  const { bitmap, digests, pagesOffset } = target

  /** Records the digests of the pages, without the gaps between them. */
  const record = ({ extents, gaps }: PageSink.Pages): void => {
    if (digests === undefined) return
    for (const { bytes, offset } of extents) {
      const first = offset / pageSize
      const count = bytes.length / pageSize
      const skipped = PageRuns.shift(PageRuns.intersect(gaps, [first, count]), -first)
      digests.record(first, bytes, PageRuns.complement(skipped, count))
    }
  }

  const recordStored = (stored: PageSink.Pages): void => {
    bitmap.setRuns(0, stored.normal)
    bitmap.clearRuns(0, stored.zero)
    const bytes = PageSink.bytesOf(stored)
    if (counters !== undefined) TransferCounters.add(counters, { block: shape, ...stored }, bytes)
    if (written !== undefined && bytes > 0) written(bytes)
  }
  const at = (offset: number) => Effect.mapError(FileError.at({ step: "ram", block: idstr, offset }))
  return {
    idstr,
    usedLength,
    pageSize,
    view: undefined,
    coalescePages: options.coalescePages,
    takesUnaligned: options.directIo !== true,
    store: (stored) => {
      const [first] = stored.extents
      if (first === undefined) return Effect.sync(() => recordStored(stored))
      record(stored)
      const extents = stored.extents.map(({ bytes, offset }) => ({ position: pagesOffset + offset, bytes }))
      return file.writeExtents(extents).pipe(
        at(first.offset),
        Effect.map(() => recordStored(stored))
      )
    },
    read: (offset, page) =>
      bitmap.has(offset / pageSize)
        ? at(offset)(file.readExtents([{ position: pagesOffset + offset, bytes: page }]))
        : Effect.sync(() => void page.fill(0))
  }
}
