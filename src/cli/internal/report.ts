import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import type * as CliError from "effect/cli/CliError"
import type * as CliOutput from "effect/cli/CliOutput"
import type * as HelpDoc from "effect/cli/HelpDoc"
import * as Answer from "./answer.ts"
import { failureOf, messageOf } from "./failure.ts"
import { helpText } from "./help.ts"
import { none, Paints } from "./paint.ts"
import { ReportedError } from "./reportedError.ts"
import { Screen, widthOf } from "./screen.ts"
import { describe } from "./jsonFields.ts"
import { oneLine } from "./text.ts"
import { NO_COMMAND, suggestionsOf, usageProblem } from "./usage.ts"

/** Reports usage errors on stderr: one line each, without the help text that would bury it, or one JSON document. */
const complain = Effect.fnUntraced(function* (
  asJson: boolean,
  command: string,
  errors: ReadonlyArray<CliError.CliError>
): Effect.fn.Return<void> {
  const problems = errors.length === 0 ? [NO_COMMAND] : errors.map(usageProblem)
  if (asJson) {
    const message = problems.map(oneLine).join("; ")
    return yield* Console.error(JSON.stringify({ event: "failed", error: "UsageError", message, exitCode: 2 }))
  }
  const { stderr: paint } = yield* Paints
  const suggestions = errors.flatMap(suggestionsOf)
  const lines = problems.map((problem) => `${paint.bad(`${command}:`)} ${oneLine(problem)}`)
  const hints = suggestions.length === 0 ? [] : [`Did you mean ${suggestions.join(" or ")}?`]
  yield* Console.error([...lines, ...hints, `Try "${command} --help".`].join("\n"))
})

/**
 * The results without a command, as JSON.
 *
 * @internal
 */
export const otherResults = {
  version: Schema.Struct({
    multifd: Schema.String.annotate(describe("The version of this program")),
    node: Schema.String.annotate(describe("The version of Node that runs it"))
  })
}

const showVersion = Effect.fnUntraced(function* ({ name, version }: CliOutput.Presenter.Version) {
  const { asJson } = yield* Answer.Answer
  if (!asJson) return yield* Console.log(`${name} ${version}`)
  yield* Answer.update({ command: "version", result: { multifd: version, node: process.versions.node } })
})

const showHelp = Effect.fnUntraced(function* (doc: HelpDoc.HelpDoc): Effect.fn.Return<void> {
  const { asJson } = yield* Answer.Answer
  if (asJson) {
    const topic = doc.commandPath?.slice(1).join(" ") ?? ""
    return yield* Answer.update({ command: "help", result: { topic, text: helpText(doc) } })
  }
  const { stdout } = yield* Paints
  const columns = widthOf((yield* Screen).outputColumns())
  yield* Console.log(helpText(doc, { columns, colors: stdout !== none }))
})

/**
 * Requested help is a result and goes to stdout. Usage errors go to stderr.
 *
 * @internal
 */
export const presenter = (asJson: boolean): CliOutput.Presenter => ({
  present: (event) => {
    if (event._tag === "Version") return showVersion(event)
    if (event._tag === "Help" && event.reason === "Requested") return showHelp(event.helpDoc)
    return complain(asJson, event.commandPath.join(" "), event._tag === "Help" ? [] : event.errors)
  }
})

/**
 * Reports the failure of a command on stderr: one line for an error, a trace for a bug. An interrupted command has
 * already reported the remaining state.
 */
const report = Effect.fnUntraced(function* (cause: Cause.Cause<unknown>): Effect.fn.Return<void> {
  const { error, trace } = failureOf(cause)
  const program = (yield* Paints).stderr.bad("multifd:")
  if (trace !== undefined) return yield* Console.error(`${program} unexpected error, please report it\n${trace}`)
  if (Runtime.getErrorReported(error)) yield* Console.error(`${program} ${oneLine(messageOf(error))}`)
})

/**
 * Reports a failure and keeps its exit code: 1 for a bug, even if its error has another one.
 *
 * @internal
 */
export const reported = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | ReportedError, R> =>
  Effect.catchCause(self, (cause) => {
    if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause)
    const failure: Effect.Effect<never, E | ReportedError> = Cause.hasFails(cause)
      ? Effect.failCause(cause)
      : Effect.fail(new ReportedError({ exitCode: 1 }))
    return Effect.andThen(report(cause), failure)
  })

/**
 * Reports the remaining state when a command without progress is interrupted.
 *
 * @internal
 */
export const whenInterrupted = (left: string) =>
  Effect.onInterrupt(() => Effect.andThen(Answer.update({ left }), Console.error(`multifd: interrupted: ${left}`)))
