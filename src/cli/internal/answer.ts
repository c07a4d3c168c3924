/**
 * The answer to a command line: the output on stdout when the command ends.
 *
 *     result ──▶ with --json: {"version":1,"command":"info", …fields of the result}
 *                without:     text for people
 *     failure ─▶ with --json: {"version":1,"command":"info","error":{"tag":…,"message":…,"exitCode":…}}
 *                without:     nothing; stderr has it in any case
 */
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import * as Failure from "./failure.ts"
import { isReported } from "./reportedError.ts"

/**
 * Increased when a field is removed or changes its meaning, not when one is added.
 *
 * @internal
 */
export const VERSION = 1

/**
 * The answer so far, one per command line.
 *
 * @internal
 */
export interface State {
  asJson: boolean
  /** The command, as far as the command line could be parsed. */
  command: string | null
  /** The fields of the result, once there is one. */
  result: object | undefined
  /** The state left by an interruption, if there was one. */
  left: string | undefined
}

/** @internal */
export const make = (asJson: boolean): State => ({ asJson, command: null, result: undefined, left: undefined })

/**
 * The answer of the current command line. Default: one that is never printed.
 *
 * @internal
 */
export const Answer: Context.Reference<State> = Context.Reference<State>("effect-multifd/cli/Answer", {
  defaultValue: () => make(false)
})

/**
 * Adds to the answer.
 *
 * @internal
 */
export const update = (change: Partial<State>): Effect.Effect<void> =>
  Effect.map(Answer, (answer) => void Object.assign(answer, change))

/** Arguments after `--` are not flags. */
const beforeOperands = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const end = args.indexOf("--")
  return end < 0 ? args : args.slice(0, end)
}

/**
 * `true` if a command line asks for JSON, even one that cannot be parsed.
 *
 * @internal
 */
export const asksForJson = (args: ReadonlyArray<string>): boolean =>
  beforeOperands(args).some((arg) => /^--json(?:=(?:true|yes|on|1|y))?$/.test(arg))

const errorOf = (cause: Cause.Cause<unknown>, left: string | undefined): Failure.Failure => {
  if (Cause.hasInterruptsOnly(cause)) return Failure.interrupted(left)
  const error = Cause.squash(cause)
  if (!isReported(error)) return Failure.fromCause(cause)
  const exitCode = Runtime.getErrorExitCode(error)
  return error.failure ?? Failure.unexpected(exitCode)
}

const documentOf = ({ command, left, result }: State, exit: Exit.Exit<unknown, unknown>): object => {
  const envelope = { version: VERSION, command, ...result }
  if (Exit.isSuccess(exit)) return envelope
  const isLate = result !== undefined && Cause.hasInterruptsOnly(exit.cause)
  return isLate ? envelope : { ...envelope, error: errorOf(exit.cause, left) }
}

/**
 * Runs a command line and prints its single JSON document, if requested.
 *
 * @internal
 */
export const answered =
  (answer: State) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    self.pipe(
      Effect.onExit((exit) =>
        answer.asJson ? Console.log(JSON.stringify(documentOf(answer, exit), null, 2)) : Effect.void
      ),
      Effect.provideService(Answer, answer)
    )
