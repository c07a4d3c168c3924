/** The number of letters to insert, delete or replace to turn one text into another. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const letter of a) {
    let [diagonal = 0] = row
    let left = diagonal + 1
    row = [
      left,
      ...row.slice(1).map((above, index) => {
        const replaced = diagonal + (letter === b[index] ? 0 : 1)
        left = Math.min(replaced, above + 1, left + 1)
        diagonal = above
        return left
      })
    ]
  }
  return row.at(-1) ?? 0
}

/**
 * The names closest to a mistyped one, the closest first.
 *
 * @internal
 */
export const closest = (name: string, known: ReadonlyArray<string>): ReadonlyArray<string> =>
  known
    .map((one) => [one, distance(name, one)] as const)
    .filter(([, steps]) => steps <= 2)
    .toSorted(([, a], [, b]) => a - b)
    .map(([one]) => one)
