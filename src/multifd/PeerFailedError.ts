/**
 * A destination that reports its failure.
 *
 * @since 0.1.0
 */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../ram/TaggedError.ts"

/**
 * The destination reported that it could not load the migration, or reported success before everything was sent.
 *
 * **Details**
 *
 * The connection is fine: only the destination's own log has the reason. The usual ones are another machine type, other
 * RAM blocks, or a device that it does not have. Exit code 8.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class PeerFailedError extends TaggedError<PeerFailedError>()("PeerFailedError", {
  /** The address of the other side. */
  peer: Schema.String,
  /** `failed`: it reported a failure; `early`: it reported success before it can have everything. */
  answer: Schema.Literals(["failed", "early"])
}) {
  override readonly [Runtime.errorExitCode] = 8
  override get message(): string {
    return this.answer === "failed"
      ? `${this.peer}: the destination could not load the migration; its own log has the reason`
      : `${this.peer}: the destination reported success before everything had been sent`
  }
}
