/**
 * Statements that hold unless the library has a bug.
 *
 * **Details**
 *
 * A violation is a defect, not a failure: bytes of a file or of a peer, and options of a user, are checked elsewhere
 * and give typed errors.
 *
 * @since 0.1.0
 */

/**
 * A statement about the library's own state is false.
 *
 * @internal
 */
export class InvariantError extends Error {
  override readonly name = "InvariantError"
  constructor(statement: string) {
    super(`a bug in effect-multifd: it does not hold that ${statement}`)
  }
}

/**
 * Throws an `InvariantError` unless the condition is true. `statement` completes "it holds that": `a block has a page
 * size`.
 *
 * @internal
 */
export function holds(condition: boolean, statement: string): asserts condition {
  if (!condition) throw new InvariantError(statement)
}

/**
 * Returns a value that cannot be missing. Throws an `InvariantError` if it is `null` or `undefined`.
 *
 * @internal
 */
export const defined = <A>(value: A, statement: string): NonNullable<A> => {
  if (value === undefined || value === null) throw new InvariantError(statement)
  return value
}
