/** Choices that a stream of numbers in [0, 1) makes. */

export interface Chance {
  /** A whole number, both limits included. */
  readonly between: (minimum: number, maximum: number) => number
  readonly pick: <const Values extends readonly [unknown, ...ReadonlyArray<unknown>]>(values: Values) => Values[number]
  /** True once in so many times. */
  readonly oneIn: (times: number) => boolean
}

export const from = (random: () => number): Chance => {
  const between = (minimum: number, maximum: number) => minimum + Math.floor(random() * (maximum - minimum + 1))
  return {
    between,
    pick: (values) => values[between(0, values.length - 1)]!,
    oneIn: (times) => between(1, times) === 1
  }
}
