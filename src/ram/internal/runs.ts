// Runs are pairs of numbers, and the last pair is read only where there is one.
// oxlint-disable typescript/no-non-null-assertion -- see above
/**
 * Appends pages after the last run, or extends that run if they touch it. `first` must not precede the end of the last
 * run.
 *
 * @internal
 */
export const append = (runs: Array<number>, first: number, count: number): void => {
  const last = runs.length - 1
  const end = last < 0 ? -1 : runs[last - 1]! + runs[last]!
  if (end === first) runs[last]! += count
  else runs.push(first, count)
}
