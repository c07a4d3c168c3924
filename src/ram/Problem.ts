/**
 * One reason why a request cannot be carried out, and the way out.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * One reason why a request cannot be carried out.
 *
 * @stability stable
 * @category schemas
 * @since 0.1.0
 */
export const Problem = Schema.Struct({
  /** The option that is wrong, nested ones with dots: `throttle.initial`. Absent if no single option is to blame. */
  option: Schema.optionalKey(Schema.String),
  /** What makes the request impossible: `channels is 300`. */
  reason: Schema.String,
  /** What to do instead: `use a whole number from 1 to 255`. */
  remedy: Schema.String
})

/**
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Problem = typeof Problem.Type

/** @internal */
export type NonEmpty = readonly [Problem, ...Array<Problem>]

/**
 * A problem that no single option is to blame for.
 *
 * @internal
 */
export const make = (reason: string, remedy: string): Problem => ({ reason, remedy })

/**
 * All problems on one line, as the answer to a request: `cannot save: …; …`.
 *
 * @internal
 */
export const refusal = (action: string, problems: ReadonlyArray<Problem>): string =>
  `cannot ${action}: ${problems.map(({ reason, remedy }) => `${reason}; ${remedy}`).join(". Also: ")}`
