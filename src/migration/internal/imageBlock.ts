import type { MappedBlock } from "../../format/ImageStream.ts"
import type { FileError } from "../../io/FileError.ts"
import type { Extent, PositionalFile } from "../../io/PositionalFile.ts"
import type { PageBitmap } from "../../ram/PageBitmap.ts"
import type { PageReader } from "../../ram/PageReader.ts"
import * as PageRuns from "../../ram/PageRuns.ts"
import * as Effect from "effect/Effect"

/** Reading a short gap along with its neighbours costs less than a system call of its own. */
const MERGED_GAP_PAGES = 8

/**
 * The pages of a block as they lie in an image. Bytes under clear bits are never handed on: they may be left over from an
 * earlier round of a live save.
 *
 * @internal
 */
export const makeReader = (file: PositionalFile, block: MappedBlock, present: PageBitmap): PageReader<FileError> => ({
  present,
  view: undefined,
  readInto: (offset, target) => {
    const { pageSize, pagesOffset } = block.header
    const first = Math.floor(offset / pageSize)
    const count = Math.ceil((offset + target.length) / pageSize) - first
    const skipped = offset - first * pageSize
    const slice = (page: number, pages: number) =>
      target.subarray(Math.max(0, page * pageSize - skipped), (page + pages) * pageSize - skipped)

    const runs = present.runs(first, count)
    const extents: Array<Extent> = []
    PageRuns.forEach(PageRuns.merge(runs, MERGED_GAP_PAGES), (page, pages) => {
      const bytes = slice(page, pages)
      extents.push({ position: pagesOffset + offset + bytes.byteOffset - target.byteOffset, bytes })
    })
    const clearGaps = () =>
      PageRuns.forEach(PageRuns.complement(runs, count), (page, pages) => void slice(page, pages).fill(0))
    return Effect.andThen(file.readExtents(extents), Effect.sync(clearGaps))
  }
})
