/**
 * Options of an operation: ranges and defaults as schemas, and all problems with an input at once.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as EffectOption from "effect/Option"
import * as Formatter from "effect/Formatter"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import type * as Problem from "./Problem.ts"

/** The range of a number. */
interface Range {
  readonly minimum: number
  readonly maximum: number
}

/**
 * Whole numbers of a range.
 *
 * @internal
 */
export const wholeNumber = ({ maximum, minimum }: Range, unit = "") => {
  const last = maximum === Number.MAX_SAFE_INTEGER ? "2^53 - 1" : String(maximum)
  const expected = `a whole number${unit} from ${minimum} to ${last}`
  return Schema.Number.annotate({ expected }).check(
    Schema.isInt({ expected }),
    Schema.isBetween({ minimum, maximum }, { expected })
  )
}

/**
 * Sizes and counts: 1 to the largest number that a double holds exactly.
 *
 * @internal
 */
export const positive = wholeNumber({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })

/**
 * Bytes per second, fractions included; 0 has a special meaning.
 *
 * @internal
 */
export const rate = Schema.Number.annotate({ expected: "0 or more bytes a second" }).check(
  Schema.isFinite({ expected: "0 or more bytes a second" }),
  Schema.isGreaterThanOrEqualTo(0, { expected: "0 or more bytes a second" })
)

/**
 * Values for which `is` holds; `expected` describes them in words.
 *
 * @internal
 */
export const where = <A>(is: (value: unknown) => boolean, expected: string): Schema.declare<A> =>
  Schema.declare((value: unknown): value is A => is(value), { expected })

const isPositiveTime = (value: unknown): boolean =>
  EffectOption.exists(Duration.fromInput(value as Duration.Input), Duration.isPositive)

/**
 * Positive times, in every form that Effect accepts, including `Duration.infinity`.
 *
 * @internal
 */
export const time = where<Duration.Input>(isPositiveTime, "a time longer than none").pipe(
  Schema.decodeTo(
    Schema.Duration,
    SchemaTransformation.transform({
      decode: Duration.fromInputUnsafe,
      encode: (duration): Duration.Input => duration
    })
  )
)

/**
 * An option with a default, which holds if the option is absent or `undefined`.
 *
 * @internal
 */
export const withDefault =
  <S extends Schema.Top>(value: S["Encoded"]) =>
  (self: S): Schema.withDecodingDefault<S> =>
    Schema.withDecodingDefault<S>(Effect.succeed(value))(self)

const FOUND_CHARACTERS = 60

/** Formats a value for a message: no secrets, and at most one line. */
const show = (value: unknown): string =>
  value instanceof Uint8Array ? `${value.length} bytes long` : Formatter.format(value).slice(0, FOUND_CHARACTERS)

const at = (input: unknown, path: ReadonlyArray<PropertyKey>): unknown =>
  path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], input)

/** For a value of another type, a schema gives only the type. */
const expectedOf = (message: string): string =>
  message
    .replace(/^Expected /, "")
    .replace(" | undefined", "")
    .replace(/^(?=(?:boolean|number|string)$)/, "a ")

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

/** One problem per option: an option can fail several checks, and all of them describe the same range. */
const problemsOf = (issue: SchemaIssue.Issue, input: unknown): Problem.NonEmpty => {
  const problems = new Map(
    issuesOf(issue).issues.map(({ message, path = [] }) => {
      const keys = path.map((key) => (typeof key === "object" ? key.key : key))
      const option = keys.map(String).join(".")
      const remedy = `use ${expectedOf(message)}`
      return [option, { option, reason: `${option} is ${show(at(input, keys))}`, remedy }] as const
    })
  )
  return [...problems.values()] as unknown as Problem.NonEmpty
}

/**
 * Fills in the defaults and checks everything else. Unknown properties are ignored.
 *
 * @internal
 */
export const decode = <A, I>(schema: Schema.Codec<A, I>): ((input: unknown) => Result.Result<A, Problem.NonEmpty>) => {
  const decodeAll = Schema.decodeUnknownResult(schema, { errors: "all" })
  return (input) => Result.mapError(decodeAll(input), ({ issue }) => problemsOf(issue, input))
}

/**
 * All problems with an input, for checks that combine several schemas.
 *
 * @internal
 */
export const problems = <A, I>(schema: Schema.Codec<A, I>): ((input: unknown) => ReadonlyArray<Problem.Problem>) => {
  const decoded = decode(schema)
  return (input) => Result.match(decoded(input), { onFailure: (all) => all, onSuccess: () => [] })
}
