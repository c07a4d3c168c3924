/**
 * The jobs of a pipeline, in order.
 *
 * @since 0.1.0
 */
import * as Stream from "effect/Stream"
import type { PageBatch } from "../ram/PageBatch.ts"

/**
 * Pages for any one free channel.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Batch<out E = never> {
  readonly _tag: "Batch"
  readonly batch: PageBatch<E>
}

/**
 * The end of a round, for every channel: no batch after it moves before every batch before it has moved.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Sync {
  readonly _tag: "Sync"
}

/**
 * One element of a pipeline's source. `E` is the error of reading a batch's pages.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Job<E = never> = Batch<E> | Sync

/**
 * The job that moves one batch.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const batch = <E>(batch: PageBatch<E>): Job<E> => ({ _tag: "Batch", batch })

/**
 * The job that ends a round.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const sync: Job = { _tag: "Sync" }

/**
 * One round: the batches of a scan, followed by the end of the round.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const round = <B, E, R>(batches: Stream.Stream<PageBatch<B>, E, R>): Stream.Stream<Job<B>, E, R> =>
  Stream.concat(Stream.map(batches, batch), Stream.succeed(sync))
