import * as Effect from "effect/Effect"
import type { MappedBlock } from "../../format/image/ImageStream.ts"
import type { FileError } from "../../io/files/FileError.ts"
import type { Extent, PositionalFile } from "../../io/files/PositionalFile.ts"
import type { PageBitmap } from "../../ram/PageBitmap.ts"
import type { PageReader } from "../../ram/PageReader.ts"
import * as PageRuns from "../../ram/PageRuns.ts"
import type { IntegrityError } from "../Integrity.ts"
import type { ExtentChecks } from "./extentChecks.ts"

/** Reading a short gap along with its neighbours is faster than a separate system call. */
const MERGED_GAP_PAGES = 8

/**
 * The pages of a block in an image. Bytes under clear bits are never returned: they may be left over from an earlier
 * round of a live save. With checksums, neither is a page that does not match.
 *
 * @internal
 */
export const makeReader = (
  file: PositionalFile,
  block: MappedBlock,
  { checks, present }: { readonly present: PageBitmap; readonly checks: ExtentChecks | undefined }
): PageReader<FileError | IntegrityError> => {
  const plain = unchecked(file, block, present)
  return checks === undefined ? plain : checked(plain, checks)
}

/** Checksums cover extents: to read a part of one, all of it must be read. */
const checked = (plain: PageReader<FileError>, checks: ExtentChecks): PageReader<FileError | IntegrityError> => ({
  ...plain,
  inFile: plain.inFile && { ...plain.inFile, checks: checks.forLanes },
  readInto: (offset, target) => {
    if (checks.isWhole(offset, target.length)) {
      return Effect.andThen(plain.readInto(offset, target), checks.verify(offset, target))
    }
    return Effect.suspend(() => {
      const whole = checks.around(offset, target.length)
      const bytes = new Uint8Array(whole.length)
      const start = offset - whole.offset
      return plain.readInto(whole.offset, bytes).pipe(
        Effect.andThen(checks.verify(whole.offset, bytes)),
        Effect.map(() => target.set(bytes.subarray(start, start + target.length)))
      )
    })
  }
})

const unchecked = (file: PositionalFile, block: MappedBlock, present: PageBitmap): PageReader<FileError> => ({
  present,
  view: undefined,
  inFile: file.inFile?.("read", block.header.pagesOffset),
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
