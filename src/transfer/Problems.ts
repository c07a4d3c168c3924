import * as Effect from "effect/Effect"

/** A setting that is not what it may be. */
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
 * Settings that were checked: a value if nothing is wrong with them, an error of all that is otherwise.
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
