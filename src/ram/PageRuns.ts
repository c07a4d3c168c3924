/**
 * Runs of neighbouring pages inside one batch.
 *
 * @since 0.1.0
 */

/**
 * Ascending, disjoint, non-adjacent runs of pages, as pairs `[first, count, first, count, …]`. Page numbers are relative
 * to the batch that the runs belong to.
 *
 * @category models
 * @since 0.1.0
 */
export type PageRuns = ReadonlyArray<number>

/**
 * One run that covers the first `count` pages.
 *
 * @category constructors
 * @since 0.1.0
 */
export const all = (count: number): PageRuns => (count === 0 ? [] : [0, count])

/**
 * The number of pages in all runs.
 *
 * @category getters
 * @since 0.1.0
 */
export const pages = (runs: PageRuns): number => {
  let sum = 0
  for (let i = 1; i < runs.length; i += 2) sum += runs[i]!
  return sum
}
