import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as CliOutput from "effect/cli/CliOutput"
import { oneLine } from "./text.ts"

/**
 * The failure of a command that has told the user already; only the exit code is left of it.
 *
 * @internal
 */
export class ReportedError extends Schema.TaggedError<ReportedError>()("ReportedError", { exitCode: Schema.Number }) {
  override readonly [Runtime.errorExitCode] = this.exitCode
  override readonly [Runtime.errorReported] = false
}

/**
 * Help that was asked for is a result and goes to stdout. What is wrong with a command line goes to stderr, a line each,
 * without the help text that would bury it.
 *
 * @internal
 */
export const presenter: CliOutput.Presenter = {
  present: (event) => {
    if (event._tag === "Version") return Console.log(`${event.name} ${event.version}`)
    if (event._tag === "Help" && event.reason === "Requested") return CliOutput.defaultPresenter.present(event)
    const command = event.commandPath.join(" ")
    const problems = event._tag === "Help" ? ["expected a command"] : event.errors.map((error) => error.message)
    const lines = problems.map((problem) => `${command}: ${oneLine(problem)}`)
    return Console.error([...lines, `Try "${command} --help".`].join("\n"))
  }
}

/**
 * Says on stderr why a command failed: one line for what can go wrong, a trace for what must not. Interruption needs no
 * words: whoever interrupts knows.
 *
 * @internal
 */
export const report = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.void
  const error = Cause.squash(cause)
  if (!Runtime.getErrorReported(error)) return Effect.void
  return Cause.hasFails(cause)
    ? Console.error(`multifd: ${oneLine(messageOf(error))}`)
    : Console.error(`multifd: unexpected error, please report it\n${Cause.pretty(cause)}`)
}

/**
 * @internal
 */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
