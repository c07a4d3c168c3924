/** The number of letters to insert, delete or replace to make one text of another. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [i, letter] of Array.from(a).entries()) {
    const next = [i + 1]
    for (const [j, other] of Array.from(b).entries()) {
      const replaced = row[j]! + (letter === other ? 0 : 1)
      next.push(Math.min(replaced, row[j + 1]! + 1, next[j]! + 1))
    }
    row = next
  }
  return row[b.length]!
}

/**
 * The names that a mistyped one may stand for, the closest first.
 *
 * @internal
 */
export const closest = (name: string, known: ReadonlyArray<string>): ReadonlyArray<string> =>
  known
    .map((one) => [one, distance(name, one)] as const)
    .filter(([, steps]) => steps <= 2)
    .toSorted(([, a], [, b]) => a - b)
    .map(([one]) => one)
