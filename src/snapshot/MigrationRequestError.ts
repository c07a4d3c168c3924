/**
 * A request that is impossible with the given blocks, image and options.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../ram/TaggedError.ts"
import * as Problem from "../ram/Problem.ts"

/**
 * The blocks, the image and the options of a request do not match: a block that the image does not have, another
 * length, two blocks of one name.
 *
 * **Details**
 *
 * Detected before anything was touched. Lists all problems, not only the first. Exit code 2.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class MigrationRequestError extends TaggedError<MigrationRequestError>()("MigrationRequestError", {
  /** The requested operation. */
  operation: Schema.Literals(["save", "restore", "convert", "send", "receive", "read", "seal", "recover", "capture"]),
  /** The reasons, and the remedies. */
  problems: Schema.NonEmptyArray(Problem.Problem)
}) {
  override readonly [Runtime.errorExitCode] = 2
  override get message() {
    return Problem.refusal(this.operation, this.problems)
  }
}

/**
 * Fails if there is a problem.
 *
 * @internal
 */
export const refuse = (
  operation: MigrationRequestError["operation"],
  problems: ReadonlyArray<Problem.Problem>
): Effect.Effect<void, MigrationRequestError> => {
  const [first, ...rest] = problems
  return first === undefined
    ? Effect.void
    : Effect.fail(new MigrationRequestError({ operation, problems: [first, ...rest] }))
}
