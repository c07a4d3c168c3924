import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../../ram/TaggedError.ts"
import { Failure } from "./failure.ts"

/**
 * The failure of a command that has already reported it; the exit code and the content of the JSON document remain.
 *
 * @internal
 */
export class ReportedError extends TaggedError<ReportedError>()("ReportedError", {
  exitCode: Schema.Number,
  failure: Schema.optionalKey(Failure)
}) {
  override readonly [Runtime.errorExitCode] = this.exitCode
  override readonly [Runtime.errorReported] = false
}

/** @internal */
export const isReported = (error: unknown): error is ReportedError => error instanceof ReportedError

/** @internal */
export const reportedAs = (failure: Failure): ReportedError =>
  new ReportedError({ exitCode: failure.exitCode, failure })
