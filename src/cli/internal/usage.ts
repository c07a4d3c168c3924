import * as CliError from "effect/cli/CliError"
import * as Effect from "effect/Effect"
import { usage } from "./failure.ts"

/**
 * Refuses a command line whose options are individually valid and contradict each other; presented like any other usage
 * error, all problems at once.
 *
 * @internal
 */
export const refuse = (command: string, problems: ReadonlyArray<string>): Effect.Effect<void, CliError.ShowHelp> =>
  problems.length === 0 ? Effect.void : refusal(command, problems)

/** @internal */
export const refusal = (command: string, problems: ReadonlyArray<string>): Effect.Effect<never, CliError.ShowHelp> =>
  refuseWith(
    command,
    problems.map((message) => new CliError.ValidationError({ message }))
  )

/** @internal */
export const refuseWith = (
  command: string,
  errors: CliError.ShowHelp["errors"]
): Effect.Effect<never, CliError.ShowHelp> =>
  Effect.fail(new CliError.ShowHelp({ commandPath: ["multifd", command], errors }))

/**
 * All problems with a command line, and its command.
 *
 * @internal
 */
export const usageFailure = (error: CliError.CliError) => {
  if (error._tag !== "ShowHelp") return { command: undefined, failure: usage([usageProblem(error)]) }
  const problems = error.errors.length === 0 ? [NO_COMMAND] : error.errors.map(usageProblem)
  return { command: error.commandPath[1], failure: usage(problems, error.errors.flatMap(suggestionsOf)) }
}

/** @internal */
export const NO_COMMAND = "there is no command; name one"

/** Makes sentences of other programs parts of ours. */
const lowerFirst = (text: string): string => text.replace(/^[A-Z](?![A-Z])/, (letter) => letter.toLowerCase())

/**
 * The known names closest to a mistyped one.
 *
 * @internal
 */
export const suggestionsOf = (error: CliError.CliError): ReadonlyArray<string> =>
  "suggestions" in error ? error.suggestions : []

/** The value, and what to use instead: our own checks and the parser name the valid values. */
const valueProblem = ({ expected, value }: CliError.InvalidValue): string => {
  const what = lowerFirst(expected)
    .replace(/^(?:expected:?|use) /, "")
    .replace("a string representing a finite number", "a number")
  return `is ${value === "" ? "empty" : JSON.stringify(value)}; use ${what}`
}

/**
 * A problem with a command line, in the style of this program's other errors.
 *
 * @internal
 */
export const usageProblem = (error: CliError.CliError): string => {
  switch (error._tag) {
    case "UnrecognizedOption":
      return `there is no ${error.option}`
    case "UnknownSubcommand":
      return `there is no command ${JSON.stringify(error.subcommand)}`
    case "MissingOption":
      return `--${error.option} is missing`
    case "MissingArgument":
      return `${error.argument} is missing`
    case "UnexpectedArgument":
      return `there are too many arguments; leave out ${error.arguments.map((value) => JSON.stringify(value)).join(", ")}`
    case "InvalidValue":
      return `${error.kind === "flag" ? "--" : ""}${error.option} ${valueProblem(error)}`
    default:
      return error.message
  }
}
