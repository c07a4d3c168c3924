import * as CliError from "effect/cli/CliError"
import * as Effect from "effect/Effect"

/**
 * Refuses a command line whose options are fine one by one and make no sense together; presented like any other usage
 * error, all problems at once.
 *
 * @internal
 */
export const refuse = (command: string, problems: ReadonlyArray<string>): Effect.Effect<void, CliError.ShowHelp> =>
  problems.length === 0
    ? Effect.void
    : Effect.fail(
        new CliError.ShowHelp({
          commandPath: ["multifd", command],
          errors: problems.map((message) => new CliError.ValidationError({ message }))
        })
      )
