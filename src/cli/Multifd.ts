/**
 * The `multifd` command.
 *
 *     arguments ─▶ parser ─▶ command ─▶ Image, Migration ─▶ stdout   the result
 *                    │          │             │             stderr   progress, warnings, one line for an error
 *                    ▼          ▼             ▼
 *                  usage    the request    the work         exit code, by the class of the error
 *
 * | exit code | meaning |
 * | --- | --- |
 * | 0 | success |
 * | 1 | unexpected error: a bug in this program, reported with a stack trace |
 * | 2 | usage error, or a request that the files or the machine cannot satisfy |
 * | 3 | not a migration image, or one without fixed offsets for its pages |
 * | 4 | the image is corrupt |
 * | 5 | the image, or a file, is truncated |
 * | 6 | input or output failed |
 * | 7 | no space left |
 * | 8 | the peer broke the protocol, or could not be trusted (TLS) |
 * | 9 | the peer timed out |
 * | 10 | QEMU refused, or its side of a migration failed |
 * | 12 | an image was recovered with losses, or is marked as such |
 * | 130 | interrupted by SIGINT, SIGTERM or SIGHUP; everything was closed and cleaned up |
 *
 * @since 0.1.0
 */
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Migration from "../migration/Migration.ts"
import * as Answer from "./internal/answer.ts"
import { Completion } from "./internal/completion.ts"
import { config, multifd, program } from "./internal/commands.ts"
import { written } from "./internal/output.ts"
import { Program } from "./internal/program.ts"
import { logTo } from "./internal/logger.ts"
import { presenter, reported } from "./internal/report.ts"
import { reportedAs } from "./internal/reportedError.ts"
import { usageFailure } from "./internal/usage.ts"
import { checkArguments } from "./internal/textArguments.ts"
import { plain } from "./internal/view.ts"

/** With JSON lines, the parser's errors are JSON lines as well. */
const asksForEvents = (args: ReadonlyArray<string>): boolean =>
  args.some((arg, index) => arg === "--progress=json" || (arg === "json" && args[index - 1] === "--progress"))

/** The parser's own failures have been presented before they arrive here. */
const refused = Effect.fnUntraced(function* (error: CliError.CliError) {
  const { command = null, failure } = usageFailure(error)
  yield* Answer.update({ command })
  return yield* reportedAs(failure)
})

/**
 * Runs a command line.
 *
 * **Details**
 *
 * Results go to stdout, everything else to stderr. A result that cannot be written is a failure; a reader that has
 * closed its end (`| head`) is not. Failures have been reported on stderr when the effect fails; the caller only turns
 * the error into an exit code, as `Runtime.defaultTeardown` does.
 *
 * @category running
 * @since 0.1.0
 */
export const run = (options: {
  readonly version: string
  /** Called if the command completed before it was interrupted: its exit code is then 0. */
  readonly onComplete?: (() => void) | undefined
}) => {
  const parse = Command.runWith(multifd, options)
  return (args: ReadonlyArray<string>) =>
    Effect.andThen(checkArguments(args), parse(args)).pipe(
      Effect.catchIf(CliError.isCliError, refused),
      Answer.answered(Answer.make(Answer.asksForJson(args))),
      written,
      reported,
      Effect.provide(Migration.layer),
      Effect.provideService(CliConfig.CliConfig, config),
      Effect.provideService(Program, program),
      Effect.provideService(Completion, options.onComplete ?? (() => undefined)),
      Effect.provideService(CliOutput.Presenter, presenter(asksForEvents(args))),
      logTo(plain)
    )
}
