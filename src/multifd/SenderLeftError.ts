/**
 * A sender that does not wait for the answer that it asked for.
 *
 * @since 0.1.0
 */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"

/**
 * The sender had asked to be told when everything has arrived (`return-path`), and hung up before it heard so: it has not
 * handed over its guest, which may go on there.
 *
 * **Details**
 *
 * A source fails like this when it is cancelled at the very last, or is sent a SWITCHOVER_ACK that it does not wait for. Exit
 * code 8.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class SenderLeftError extends Schema.TaggedError<SenderLeftError>()("SenderLeftError", {
  /** The address of the other side. */
  peer: Schema.String,
  /** Whether what was received had been completed by then: an image is durable under its name. */
  complete: Schema.Boolean
}) {
  override readonly [Runtime.errorExitCode] = 8
  override get message(): string {
    const kept = this.complete ? "; everything had arrived, and is kept" : ""
    return (
      `${this.peer}: expected the sender to wait for the answer that everything has arrived, found that it hung up before: ` +
      `it has failed, and its guest may go on there${kept}`
    )
  }
}
