import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { messageOf } from "./failure.ts"
import type { View } from "./view.ts"

/** Of a failure that nothing depends on, its message is enough. */
const textOf = (message: unknown, cause: Cause.Cause<unknown>): string => {
  const parts = (Array.isArray(message) ? message : [message]).map(messageOf)
  const why = cause.reasons.length === 0 ? [] : [messageOf(Cause.squash(cause))]
  return parts.length === 0 ? `while tidying up: ${why.join("")}` : [parts.join(" "), ...why].join(": ")
}

/** What the library and its runtime log, in the words of a view: a line each. */
const logger = (view: View): Logger.Logger<unknown, void> =>
  Logger.make(({ cause, fiber, logLevel, message }) => {
    const text = textOf(message, cause)
    const isWarning = LogLevel.isGreaterThanOrEqualTo(logLevel, "Warn")
    const line = isWarning ? view.warning(text) : view.log(logLevel.toLowerCase(), text)
    if (line !== "") fiber.getRef(Console.Console).error(line.trimEnd())
  })

/**
 * Shows what is logged as a view shows warnings.
 *
 * @internal
 */
export const logTo =
  (view: View) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(self, Logger.CurrentLoggers, new Set([logger(view)]))
