import type { Extent } from "../../io/files/PositionalFile.ts"
import * as PageRuns from "../../ram/PageRuns.ts"

/**
 * The file extents of some runs of pages: page 0 is at the start of `data` and at `position` in the file.
 *
 * @internal
 */
export const layOut = (
  data: Uint8Array,
  runs: PageRuns.PageRuns,
  pageSize: number,
  position: number
): ReadonlyArray<Extent> => {
  const extents: Array<Extent> = []
  PageRuns.forEach(runs, (first, count) => {
    const start = first * pageSize
    extents.push({ position: position + start, bytes: data.subarray(start, start + count * pageSize) })
  })
  return extents
}
