/**
 * A destination that says that it has failed.
 *
 * @since 0.1.0
 */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"

/**
 * The destination answered that it could not load what it was sent, or that it is done while there was more to come.
 *
 * **Details**
 *
 * Nothing is wrong with the connection: only the destination's own log can say what it did not like. The usual reasons are
 * another machine type, other RAM blocks, or a device that it does not have. Exit code 8.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class PeerFailedError extends Schema.TaggedError<PeerFailedError>()("PeerFailedError", {
  /** The address of the other side. */
  peer: Schema.String,
  /** `failed`: it says so; `early`: it says that all is well before it can have everything. */
  answer: Schema.Literals(["failed", "early"])
}) {
  override readonly [Runtime.errorExitCode] = 8
  override get message(): string {
    return this.answer === "failed"
      ? `${this.peer}: expected the destination to load the migration, found its answer that it failed`
      : `${this.peer}: expected an answer when everything has been sent, found one that came early`
  }
}
