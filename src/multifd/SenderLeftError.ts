/**
 * A sender that does not wait for the answer that it asked for.
 *
 * @since 0.1.0
 */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../ram/TaggedError.ts"

/**
 * The sender had asked for an answer when everything has arrived (`return-path`), and closed the connection before it
 * came. It has not handed over its guest, which may be running there.
 *
 * **Details**
 *
 * A source fails like this if it is cancelled at the very end, or gets a SWITCHOVER_ACK that it does not expect. Exit
 * code 8.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class SenderLeftError extends TaggedError<SenderLeftError>()("SenderLeftError", {
  /** The address of the other side. */
  peer: Schema.String,
  /** `true` if the received data had been completed by then: an image is durable under its name. */
  complete: Schema.Boolean
}) {
  override readonly [Runtime.errorExitCode] = 8
  override get message(): string {
    const kept = this.complete ? "; everything had arrived, and was kept" : ""
    return (
      `${this.peer}: the sender closed the connection before it was told that everything has arrived: ` +
      `it has failed, and its guest may be running there${kept}`
    )
  }
}
