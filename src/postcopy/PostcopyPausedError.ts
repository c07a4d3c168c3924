/**
 * A running guest with missing pages.
 *
 * @since 0.1.0
 */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../ram/TaggedError.ts"

/**
 * A page that a guest waits for.
 *
 * @stability unstable
 * @category schemas
 * @since 0.1.0
 */
export const Place = Schema.Struct({
  /** The name of the block. */
  idstr: Schema.String,
  /** Bytes from its start. */
  offset: Schema.Number
})

/**
 * The guest has started to run, and some of its pages have not arrived. It is alive, QEMU is in `postcopy-paused`, and
 * every thread of the guest that touches a missing page waits.
 *
 * **Details**
 *
 * Nothing is lost: the image is unchanged, and any program can send the rest from it (`Resume.recover`). The guest must
 * not be started a second time from the image. Exit code 13.
 *
 * @stability unstable
 * @category errors
 * @since 0.1.0
 */
export class PostcopyPausedError extends TaggedError<PostcopyPausedError>()("PostcopyPausedError", {
  /** The address of the destination. */
  peer: Schema.String,
  /** The reason why no pages arrive. */
  reason: Schema.String,
  /** Bytes that are present in the source and were not sent. */
  missingBytes: Schema.Number,
  /** The unreadable page that the guest waits for. */
  waitsFor: Schema.optional(Place),
  /** The command that recovers it. */
  recovery: Schema.optional(Schema.String),
  cause: Schema.optional(Schema.Defect())
}) {
  override readonly [Runtime.errorExitCode] = 13
  override get message(): string {
    const { missingBytes, peer, reason, recovery, waitsFor } = this
    const page = waitsFor === undefined ? "" : `; it waits for byte ${waitsFor.offset} of "${waitsFor.idstr}"`
    const way = recovery === undefined ? "" : `; to continue: ${recovery}`
    return (
      `${peer}: the guest runs, and ${missingBytes} bytes of its memory were not sent: ${reason}${page}; ` +
      `its threads wait when they touch them${way}`
    )
  }
}
