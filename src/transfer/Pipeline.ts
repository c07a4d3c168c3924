/**
 * The core of every migration: a source of batches, a bounded queue, and N channels.
 *
 * ```text
 *   source ──► feeder ──► queue (bounded) ──┬──► fiber 0 ──► channel 0
 *                │                          ├──► fiber 1 ──► channel 1
 *                │                          └──► fiber … ──► channel N-1
 *                │                                  │
 *                └────────── sync barrier ◄─────────┘   (N + 1 parties)
 *
 *   Batch   feeder: offer                 free fiber: take, transfer
 *   Sync    feeder: offer N, arrive       each fiber: take one, channel.sync, arrive; all go on together
 *   end     feeder: end the queue         each fiber: channel.finish
 *   error   the first one interrupts everybody; every channel is released before the caller sees it
 * ```
 *
 * The queue is first in, first out. So when a fiber takes its Sync, every batch before it has been taken. When all have
 * arrived, all of these batches have moved, because a fiber that is still moving one has not arrived. Nothing after the
 * Sync can have been taken: the feeder offers nothing more until it has passed the barrier, and a fiber that has taken
 * one Sync waits there, so that none takes two.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Channel } from "./Channel.ts"
import { allOrFirstError, laterFailures as attached, withFirstError } from "./FirstError.ts"
import { makePacer } from "./internal/pacer.ts"
import * as Job from "./Job.ts"
import * as PipelineOptions from "./PipelineOptions.ts"
import * as SyncBarrier from "./SyncBarrier.ts"

/**
 * The work of a pipeline, and its channels.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options<B, E, R, C, RC> extends Pick<PipelineOptions.Input, "channels" | "queueDepth"> {
  /**
   * The jobs, in order.
   *
   * **Details**
   *
   * One fiber pulls it, at most a queue ahead of the channels. After a Sync it is pulled again only when every channel
   * has passed the barrier. So the source's work between a Sync and its next element happens at the barrier: it may
   * look for dirty pages, or write the main channel's mark. This holds for streams that emit one element at a time, as
   * `RamScanner` does.
   */
  readonly source: Stream.Stream<Job.Job<B>, E, R>
  /** Opens channel `id`, 0 ≤ id < channels. All channels are opened concurrently, before the first batch is taken. */
  readonly open: (id: number) => Effect.Effect<Channel<C>, C, RC>
}

/**
 * Moves everything from the source over the channels, in rounds, and ends when every channel has finished.
 *
 * **Details**
 *
 * One scope owns all channels. They are released concurrently before the pipeline ends, on success, failure and
 * interruption alike. On success every channel was synced after its last batch (a source that does not end in a Sync
 * gets one) and has finished.
 *
 * The first error, from the source, a batch or a channel, fails the pipeline with its own type, and the others are
 * interrupted. Their own failures are attached, see {@link laterFailures}.
 *
 * The fibers together yield to the event loop about every 2 ms.
 *
 * **Failure effect**: any part of the batches may have moved, in any order within a round; nothing of a round after the
 * failed one.
 *
 * **Example** (Saving one block over four channels)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { FileChannel, Job, Pipeline, RamScanner } from "effect-multifd/transfer"
 * import { PageBitmap, RamBlock } from "effect-multifd"
 *
 * export const save = Effect.fn(function* (block: RamBlock.Readable, path: string) {
 *   const bitmap = PageBitmap.make(RamBlock.pageCount(block))
 *   const blocks = new Map([[block.idstr, { pagesOffset: 0x100000, bitmap }]])
 *   yield* Pipeline.run({
 *     source: Job.round(RamScanner.scan([block])),
 *     open: (id) => FileChannel.make({ id, path, blocks })
 *   })
 *   return bitmap
 * })
 * ```
 *
 * @stability unstable
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fn("Pipeline.run")(function* <B, E, R, C, RC>(
  options: Options<B, E, R, C, RC>
): Effect.fn.Return<void, B | E | C | PipelineOptions.PipelineOptionsError, R | Exclude<RC, Scope.Scope>> {
  const settings = yield* PipelineOptions.make(options)
  yield* Effect.acquireUseRelease(Scope.make("parallel"), (scope) => runIn(scope, settings, options), Scope.close)
})

const runIn = Effect.fnUntraced(function* <B, E, R, C, RC>(
  scope: Scope.Scope,
  settings: PipelineOptions.PipelineOptions,
  options: Options<B, E, R, C, RC>
): Effect.fn.Return<void, B | E | C, R | Exclude<RC, Scope.Scope>> {
  const ids = Array.from({ length: settings.channels }, (_, id) => id)
  const open = (id: number) => Effect.flatMap(Scope.fork(scope), (own) => Scope.provide(options.open(id), own))
  const channels = yield* withFirstError(Effect.forEach(ids, open, { concurrency: "unbounded" }))

  const queue = yield* Queue.bounded<Job.Job<B>, Cause.Done>(settings.queueDepth)
  const barrier = yield* SyncBarrier.make(channels.length + 1)
  const pace = yield* makePacer
  yield* allOrFirstError<B | E | C, R>([
    feed(options.source, { queue, barrier, pace, channels: channels.length }),
    ...channels.map((channel) => runChannel(channel, { queue, barrier, pace }))
  ])
})

interface Shared<B> {
  readonly queue: Queue.Queue<Job.Job<B>, Cause.Done>
  readonly barrier: SyncBarrier.SyncBarrier
  readonly pace: Effect.Effect<void>
}

/** Fills the queue from the source, and takes part in each barrier. */
const feed = <B, E, R>(
  source: Stream.Stream<Job.Job<B>, E, R>,
  { queue, barrier, pace, channels }: Shared<B> & { readonly channels: number }
): Effect.Effect<void, E, R> => {
  const oneEach = Array.from({ length: channels }, () => Job.sync)
  const endRound = Effect.andThen(Queue.offerAll(queue, oneEach), barrier.arrive)
  let inRound = false
  const offer = (job: Job.Job<B>): Effect.Effect<unknown> => {
    inRound = job._tag === "Batch"
    return inRound ? Effect.andThen(pace, Queue.offer(queue, job)) : endRound
  }
  return Stream.runForEach(source, offer).pipe(
    Effect.andThen(Effect.suspend(() => (inRound ? endRound : Effect.void))),
    Effect.andThen(Queue.end(queue))
  )
}

/** Runs the jobs of the queue on one channel until the end. */
const runChannel = <B, C>(channel: Channel<C>, { queue, barrier, pace }: Shared<B>): Effect.Effect<void, B | C> => {
  const endRound = Effect.andThen(channel.sync, barrier.arrive)
  const work = (job: Job.Job<B>): Effect.Effect<unknown, B | C> =>
    job._tag === "Batch" ? Effect.andThen(pace, channel.transfer(job.batch)) : endRound
  return Effect.flatMap(Queue.take(queue), work).pipe(
    // The pacer yields to the event loop when it is time; yielding for each batch would add a third to its time.
    Effect.forever({ disableYield: true }),
    Pull.catchDone(() => channel.finish),
    Effect.annotateLogs({ channel: channel.id })
  )
}

/**
 * Failures that followed the one the pipeline failed with; often every channel fails for the same reason.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const laterFailures: (cause: Cause.Cause<unknown>) => ReadonlyArray<Cause.Cause<unknown>> = attached
