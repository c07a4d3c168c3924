/**
 * The interface behind which every channel hides: a file today, a socket as well tomorrow.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { PageBatch } from "../ram/PageBatch.ts"

/**
 * One file descriptor or socket that one fiber drives. The pipeline calls it from that fiber only, one call at a time.
 *
 * **Details**
 *
 * A channel is opened in a scope; leaving the scope releases what it holds, whatever happened. `transfer`, `sync` and
 * `finish` report their failures as typed errors; the release on the way out of a failed migration has no one to report
 * to and logs.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Channel<out E = never> {
  /** 0 ≤ id < number of channels. */
  readonly id: number
  /** Moves the pages of one batch to where they belong. When it returns, the batch's memory may change again. */
  readonly transfer: <B>(batch: PageBatch<B>) => Effect.Effect<void, E | B>
  /** The end of a round: everything transferred so far is on the channel, in front of whatever comes next. */
  readonly sync: Effect.Effect<void, E>
  /** The end of the migration, once, after the last sync: a file is made durable, a socket says goodbye. */
  readonly finish: Effect.Effect<void, E>
}
