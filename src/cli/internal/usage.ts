import * as CliError from "effect/cli/CliError"
import * as Effect from "effect/Effect"
import { usage } from "./failure.ts"

/**
 * Refuses a command line whose options are fine one by one and make no sense together; presented like any other usage
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
 * All that is wrong with a command line, and with which command.
 *
 * @internal
 */
export const usageFailure = (error: CliError.CliError) => {
  if (error._tag !== "ShowHelp") return { command: undefined, failure: usage([usageProblem(error)]) }
  const problems = error.errors.length === 0 ? [NO_COMMAND] : error.errors.map(usageProblem)
  return { command: error.commandPath[1], failure: usage(problems, error.errors.flatMap(suggestionsOf)) }
}

/** @internal */
export const NO_COMMAND = "expected a command"

/** Sentences of others, as parts of one. */
const lowerFirst = (text: string): string => text.replace(/^[A-Z](?![A-Z])/, (letter) => letter.toLowerCase())

/**
 * What a mistyped name may stand for.
 *
 * @internal
 */
export const suggestionsOf = (error: CliError.CliError): ReadonlyArray<string> =>
  "suggestions" in error ? error.suggestions : []

/** What was expected of a value, and what was found: our own checks say both. */
const valueProblem = ({ expected, value }: CliError.InvalidValue): string => {
  if (/^expected .*, found /.test(expected)) return expected
  const what = lowerFirst(expected)
    .replace(/^expected:? /, "")
    .replace("a string representing a finite number", "a number")
  return `expected ${what}, found ${value === "" ? "nothing" : JSON.stringify(value)}`
}

/**
 * What is wrong with a command line, in the words of this program's other errors.
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
      return `expected no more arguments, found ${error.arguments.map((value) => JSON.stringify(value)).join(", ")}`
    case "InvalidValue":
      return `${error.kind === "flag" ? "--" : ""}${error.option}: ${valueProblem(error)}`
    default:
      return error.message
  }
}
