import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { messageOf } from "./failure.ts"
import type { View } from "./view.ts"

/** For a failure without consequences, the message is enough. */
const textOf = (message: unknown, cause: Cause.Cause<unknown>): string => {
  const parts = (Array.isArray(message) ? message : [message]).map(messageOf)
  const why = cause.reasons.length === 0 ? [] : [messageOf(Cause.squash(cause))]
  return parts.length === 0 ? `during cleanup: ${why.join("")}` : [parts.join(" "), ...why].join(": ")
}

/** The log messages of the library and its runtime in the format of a view, one line each. */
const logger = (view: View): Logger.Logger<unknown, void> =>
  Logger.make(({ cause, fiber, logLevel, message }) => {
    const text = textOf(message, cause)
    const isWarning = LogLevel.isGreaterThanOrEqualTo(logLevel, "Warn")
    const line = isWarning ? view.warning(text) : view.log(logLevel.toLowerCase(), text)
    if (line !== "") fiber.getRef(Console.Console).error(line.trimEnd())
  })

/**
 * Shows log messages as a view shows warnings.
 *
 * @internal
 */
export const logTo =
  (view: View) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(self, Logger.CurrentLoggers, new Set([logger(view)]))
