/**
 * Runs of neighbouring pages inside one batch.
 *
 * ```text
 * page   0 1 2 3 4 5 6 7 8 9
 *        · █ █ █ · · █ · █ █      ⇒  [1, 3, 6, 1, 8, 2]
 * ```
 *
 * A plain array of numbers holds a batch's few runs without an object each, and passes through `structuredClone`
 * unchanged.
 *
 * @since 0.1.0
 */
// Runs are pairs of numbers, and each index stays below their length: a check would be paid for every run of a batch.
// oxlint-disable typescript/no-non-null-assertion -- see above
import { append } from "./internal/runs.ts"

/**
 * Ascending, disjoint, non-adjacent runs of pages, as pairs `[first, count, first, count, …]`. Page numbers are
 * relative to the batch that the runs belong to.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type PageRuns = ReadonlyArray<number>

/**
 * No page at all.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const empty: PageRuns = []

/**
 * One run that covers the first `count` pages.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const all = (count: number): PageRuns => (count === 0 ? empty : [0, count])

/**
 * The runs of the given page numbers, which must be strictly ascending.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const fromPages = (pages: Iterable<number>): PageRuns => {
  const runs: Array<number> = []
  for (const page of pages) append(runs, page, 1)
  return runs
}

/**
 * The runs of ranges in any order, given as pairs `[first, count, first, count, …]`; ranges may touch and overlap.
 *
 * **Example** (Ranges in any order)
 *
 * ```ts
 * import { PageRuns } from "effect-multifd/transfer"
 *
 * PageRuns.fromRanges([8, 2, 0, 3, 2, 4]) // => [0, 6, 8, 2]
 * ```
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const fromRanges = (ranges: ReadonlyArray<number>): PageRuns => {
  const runs: Array<number> = []
  const order = Array.from({ length: ranges.length / 2 }, (_, i) => 2 * i).toSorted((a, b) => ranges[a]! - ranges[b]!)
  for (const i of order) {
    const first = Math.max(ranges[i]!, end(runs))
    const behind = ranges[i]! + ranges[i + 1]!
    if (first < behind) append(runs, first, behind - first)
  }
  return runs
}

/**
 * `true` if the numbers are valid runs: pairs of integers, counts of at least one page, in ascending order, with at
 * least one page between neighbours.
 *
 * @stability unstable
 * @category guards
 * @since 0.1.0
 */
export const isPageRuns = (runs: ReadonlyArray<number>): runs is PageRuns => {
  if (runs.length % 2 !== 0 || !runs.every(Number.isSafeInteger)) return false
  let next = 0
  for (let i = 0; i < runs.length; i += 2) {
    if (runs[i]! < next || runs[i + 1]! < 1) return false
    next = runs[i]! + runs[i + 1]! + 1
  }
  return true
}

/**
 * The number of pages in all runs.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const pages = (runs: PageRuns): number => {
  let sum = 0
  for (let i = 1; i < runs.length; i += 2) sum += runs[i]!
  return sum
}

/**
 * The page after the last one, or 0 if there is no page.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const end = (runs: PageRuns): number => (runs.length === 0 ? 0 : runs[runs.length - 2]! + runs[runs.length - 1]!)

/**
 * Calls `f` once for each run, in ascending order.
 *
 * @stability unstable
 * @category iterating
 * @since 0.1.0
 */
export const forEach = (runs: PageRuns, f: (first: number, count: number) => void): void => {
  for (let i = 0; i < runs.length; i += 2) f(runs[i]!, runs[i + 1]!)
}

/**
 * Joins runs with at most `gap` pages between them, so that one larger job replaces several small ones. The pages of
 * the gaps then belong to the runs as well.
 *
 * **Example** (Bridging gaps of one page)
 *
 * ```ts
 * import { PageRuns } from "effect-multifd/transfer"
 *
 * PageRuns.merge([0, 1, 2, 1, 9, 1], 1) // => [0, 3, 9, 1]
 * ```
 *
 * @stability unstable
 * @category combining
 * @since 0.1.0
 */
export const merge = (runs: PageRuns, gap: number): PageRuns => {
  if (gap < 1 || runs.length < 4) return runs
  const merged: Array<number> = [runs[0]!, runs[1]!]
  for (let i = 2; i < runs.length; i += 2) {
    const first = merged[merged.length - 2]!
    const to = runs[i]! + runs[i + 1]!
    if (runs[i]! - (first + merged[merged.length - 1]!) <= gap) merged[merged.length - 1] = to - first
    else merged.push(runs[i]!, runs[i + 1]!)
  }
  return merged
}

/**
 * The pages among the first `count` that are in no run. The runs must lie inside the first `count` pages.
 *
 * @stability unstable
 * @category combining
 * @since 0.1.0
 */
export const complement = (runs: PageRuns, count: number): PageRuns => {
  const gaps: Array<number> = []
  let next = 0
  for (let i = 0; i < runs.length; i += 2) {
    if (runs[i]! > next) gaps.push(next, runs[i]! - next)
    next = runs[i]! + runs[i + 1]!
  }
  if (next < count) gaps.push(next, count - next)
  return gaps
}

/**
 * The pages that are in both.
 *
 * @stability unstable
 * @category combining
 * @since 0.1.0
 */
export const intersect = (a: PageRuns, b: PageRuns): PageRuns => {
  const both: Array<number> = []
  let i = 0
  let j = 0
  while (i < a.length && j < b.length) {
    const endA = a[i]! + a[i + 1]!
    const endB = b[j]! + b[j + 1]!
    const first = Math.max(a[i]!, b[j]!)
    const last = Math.min(endA, endB)
    if (first < last) both.push(first, last - first)
    if (endA <= endB) i += 2
    if (endB <= endA) j += 2
  }
  return both
}

/**
 * The pages of `a` that are not in `b`.
 *
 * @stability unstable
 * @category combining
 * @since 0.1.0
 */
export const difference = (a: PageRuns, b: PageRuns): PageRuns => intersect(a, complement(b, Math.max(end(a), end(b))))

/**
 * The same runs, `by` pages further on.
 *
 * @stability unstable
 * @category combinators
 * @since 0.1.0
 */
export const shift = (runs: PageRuns, by: number): PageRuns =>
  by === 0 ? runs : runs.map((value, index) => (index % 2 === 0 ? value + by : value))
