import * as Cause from "effect/Cause"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"

/**
 * A failure in the JSON document, followed by the fields of its class.
 *
 * @internal
 */
export const Failure = Schema.StructWithRest(
  Schema.Struct({
    /** The name of the error's class. */
    tag: Schema.String.annotate({ description: "The class of the error; docs/reference/errors.md lists them" }),
    message: Schema.String.annotate({ description: "The same line as on stderr" }),
    exitCode: Schema.Int.annotate({ description: "The exit code of the command" })
  }),
  [Schema.Record(Schema.String, Schema.Unknown)]
).annotate({ identifier: "Failure", description: "A failure, with the fields of its class" })

/** @internal */
export type Failure = typeof Failure.Type

/** @internal */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const tagOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : "UnexpectedError"

/** The cause of an error is not printed: it may contain anything. */
export const HIDDEN: ReadonlySet<string> = new Set(["_tag", "cause"])

const isSchema = (value: unknown): value is Schema.Codec<unknown> & { new (...args: ReadonlyArray<never>): unknown } =>
  typeof value === "function" && Schema.isSchema(value)

/** The fields that the class of an error declares, as JSON. */
const fieldsOf = (error: unknown): object => {
  if (!(error instanceof Error) || !isSchema(error.constructor)) return {}
  const encoded = Schema.encodeUnknownOption(Schema.toCodecJson(error.constructor))(error)
  const fields = Option.getOrElse(encoded, () => ({}))
  if (typeof fields !== "object" || fields === null) return {}
  const isSet = (name: string): boolean => Reflect.get(error, name) !== undefined
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !HIDDEN.has(name) && isSet(name)))
}

/**
 * The decisive failure among all. Without a failure but with a defect, it is a bug in this program: it has a trace, and
 * not the exit code of an error.
 *
 * @internal
 */
export const failureOf = (cause: Cause.Cause<unknown>) => {
  const error = Cause.squash(cause)
  return Cause.hasFails(cause)
    ? { error, exitCode: Runtime.getErrorExitCode(error), trace: undefined }
    : { error, exitCode: 1, trace: Cause.pretty(cause) }
}

/** @internal */
export const fromError = (error: unknown, exitCode = Runtime.getErrorExitCode(error)): Failure => ({
  ...fieldsOf(error),
  tag: tagOf(error),
  message: messageOf(error),
  exitCode
})

/** @internal */
export const fromCause = (cause: Cause.Cause<unknown>): Failure => {
  const { error, exitCode, trace } = failureOf(cause)
  return trace === undefined
    ? fromError(error, exitCode)
    : { tag: "UnexpectedError", message: messageOf(error), exitCode, trace }
}

/** @internal */
export const unexpected = (exitCode: number): Failure => ({
  tag: "UnexpectedError",
  message: "the command failed",
  exitCode
})

/** @internal */
export const interrupted = (left: string | undefined): Failure => ({
  tag: "Interrupted",
  message: left ?? "interrupted",
  exitCode: 130
})

/**
 * An invalid command line.
 *
 * @internal
 */
export const usage = (problems: ReadonlyArray<string>, suggestions: ReadonlyArray<string> = []): Failure => ({
  tag: "UsageError",
  message: problems.join("; "),
  exitCode: 2,
  problems,
  suggestions
})
