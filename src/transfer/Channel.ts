/**
 * The common interface of all channels, over files and sockets.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { PageBatch } from "../ram/PageBatch.ts"

/**
 * One file descriptor or socket, driven by one fiber. The pipeline calls it only from that fiber, one call at a time.
 *
 * **Details**
 *
 * A channel is opened in a scope; leaving the scope always releases its resources. `transfer`, `sync` and `finish`
 * report failures as typed errors. A release after a failed migration cannot report its own failure, and logs it.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Channel<out E = never> {
  /** 0 ≤ id < number of channels. */
  readonly id: number
  /** Moves the pages of one batch to their destination. Afterwards the batch's memory may change again. */
  readonly transfer: <B>(batch: PageBatch<B>) => Effect.Effect<void, E | B>
  /** Ends a round: everything transferred so far is on the channel, before anything that follows. */
  readonly sync: Effect.Effect<void, E>
  /** Ends the migration, once, after the last sync: a file becomes durable, a socket is ended properly. */
  readonly finish: Effect.Effect<void, E>
}
