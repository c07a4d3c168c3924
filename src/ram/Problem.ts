/**
 * One reason why a request cannot be carried out, and the remedy.
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
  /** The invalid option, nested ones with dots: `throttle.initial`. Absent if no single option is the cause. */
  option: Schema.optionalKey(Schema.String),
  /** The reason: `channels is 300`. */
  reason: Schema.String,
  /** The remedy: `use a whole number from 1 to 255`. */
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
 * A problem without a single option as its cause.
 *
 * @internal
 */
export const make = (reason: string, remedy: string): Problem => ({ reason, remedy })

/**
 * All problems on one line, as the message for a request: `cannot save: …; …`.
 *
 * @internal
 */
export const refusal = (action: string, problems: ReadonlyArray<Problem>): string =>
  `cannot ${action}: ${problems.map(({ reason, remedy }) => `${reason}; ${remedy}`).join(". Also: ")}`
