import * as Effect from "effect/Effect"

/** A setting with an invalid value. */
interface Problem {
  readonly option: string
  readonly expected: string
  readonly found: string | number
}

/**
 * All problems on one line.
 *
 * @internal
 */
export const formatProblems = (problems: ReadonlyArray<Problem>): string =>
  problems.map(({ expected, found, option }) => `${option}: expected ${expected}, found ${found}`).join("; ")

/**
 * The result of validating settings: the value if all are valid, otherwise an error with all problems.
 *
 * @internal
 */
export const failWithAll = <P, E, A>(
  problems: ReadonlyArray<P>,
  error: (problems: readonly [P, ...Array<P>]) => E,
  value: () => A
): Effect.Effect<A, E> => {
  const [first, ...rest] = problems
  return first === undefined ? Effect.sync(value) : Effect.fail(error([first, ...rest]))
}
