/**
 * Few of many combinations of options, so that any two values that can meet at all do so in one of them. Most faults of combined options
 * are those of two; where all combinations are affordable, all of them are tried (`GRID=all`).
 */

/** A combination of options: one value for each. */
export type Combination = Readonly<Record<string, string | number>>

/** Every two values that meet in a combination. */
const pairsOf = (combination: Combination): ReadonlyArray<string> => {
  const values = Object.entries(combination).map(([option, value]) => `${option}=${value}`)
  return values.flatMap((one, i) => values.slice(i + 1).map((other) => `${one} ${other}`))
}

/** All combinations of some options' values. */
export const product = <A extends Combination>(options: {
  readonly [K in keyof A]: ReadonlyArray<A[K]>
}): ReadonlyArray<A> =>
  Object.entries<ReadonlyArray<string | number>>(options).reduce<ReadonlyArray<Combination>>(
    (combinations, [option, values]) =>
      combinations.flatMap((combination) => values.map((value) => ({ ...combination, [option]: value }))),
    [{}]
  ) as ReadonlyArray<A>

/**
 * Some of the combinations, in which every two values meet that do in any of them. One after the other is taken that has the most
 * pairs that none before it has; of equal ones, the first.
 */
export const pairwise = <A extends Combination>(combinations: ReadonlyArray<A>): ReadonlyArray<A> => {
  const candidates = combinations.map((combination) => ({ combination, pairs: pairsOf(combination) }))
  const open = new Set(candidates.flatMap(({ pairs }) => pairs))
  const chosen: Array<A> = []
  const gain = (pairs: ReadonlyArray<string>): number => pairs.filter((pair) => open.has(pair)).length
  while (open.size > 0) {
    const best = candidates.reduce((best, one) => (gain(one.pairs) > gain(best.pairs) ? one : best))
    for (const pair of best.pairs) open.delete(pair)
    chosen.push(best.combination)
  }
  return chosen
}
