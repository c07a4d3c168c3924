/**
 * The jobs of a sender's pipeline, with what the main channel has to say between them.
 *
 * ```text
 *   jobs               Batch Batch … Sync     Batch … Sync
 *   withMarks    Sync  Batch Batch … Sync     Batch … Sync     Sync
 *   main channel     ▲                    ▲                ▲         ▲
 *                    START, first mark    mark             mark      RAM's END with the last mark, and the rest
 * ```
 *
 * A pipeline asks for the job behind a Sync when all channels have passed the barrier. So what is written before that job
 * is given out stands behind every channel's SYNC and in front of every page of the next round.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { TransferError } from "../io/sockets/Connection.ts"
import * as PageBatch from "../ram/PageBatch.ts"
import * as PageRuns from "../ram/PageRuns.ts"
import { makeBuffer } from "../transfer/ChannelBuffer.ts"
import * as Job from "../transfer/Job.ts"
import type { MainChannel } from "./MainChannel.ts"
import * as TransferCounters from "../transfer/TransferCounters.ts"
import type { Watchdog } from "./Watchdog.ts"

/**
 * Puts rounds, each ended by a Sync, between the marks of a main channel of which everything in front of RAM's START was
 * written. `started` runs behind the first mark, in front of the first page; `rest` writes everything behind RAM's END.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withMarks = <B, E, R, E2, R2>(
  rounds: Stream.Stream<Job.Job<B>, E, R>,
  main: MainChannel,
  steps: { readonly started: Effect.Effect<void>; readonly rest: Effect.Effect<void, E2, R2> }
): Stream.Stream<Job.Job<B>, E | TransferError | E2, R | R2> =>
  Stream.suspend(() => {
    let isDue = false
    const storePending = Effect.suspend(() => {
      const mark = isDue ? main.mark : Effect.void
      isDue = false
      return mark
    })
    // In front of whatever is asked for next: even looking for the pages of the next round may write to the main channel.
    const stored = Stream.transformPull(rounds, (pull) => Effect.succeed(Effect.andThen(storePending, pull)))
    const marked = Stream.map(stored, (job) => {
      isDue = job._tag === "Sync"
      return job
    })
    return Stream.succeed<Job.Job<B>>(Job.sync).pipe(
      Stream.concat(Stream.fromEffectDrain(Effect.andThen(main.mark, steps.started))),
      Stream.concat(marked),
      Stream.concat(Stream.succeed(Job.sync)),
      Stream.concat(Stream.fromEffectDrain(Effect.andThen(main.endRam, steps.rest)))
    )
  })

/**
 * Zero pages told apart in front of the queue, and listed on the main channel (QEMU's `legacy`): what is left of the
 * batches is for channels that look for no zero pages. Whatever reads a batch's pages here is read once more by its
 * channel, unless they lie in memory or a bitmap knows which of them are zero.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withZeroRecords = <B, E, R>(
  jobs: Stream.Stream<Job.Job<B>, E, R>,
  main: MainChannel,
  options: {
    readonly counters?: TransferCounters.TransferCounters | undefined
    readonly watchdog?: Pick<Watchdog, "working"> | undefined
  }
): Stream.Stream<Job.Job<B>, B | E | TransferError, R> =>
  Stream.suspend(() => {
    const { counters, watchdog } = options
    const working: Watchdog["working"] = watchdog?.working ?? ((self) => self)
    const buffer = makeBuffer()
    const sift = Effect.fnUntraced(function* (
      batch: PageBatch.PageBatch<B>
    ): Effect.fn.Return<Job.Job<B> | undefined, B | TransferError> {
      const { normal, zero } = yield* working(PageBatch.split(batch, buffer))
      const bytes = yield* main.zeros(batch, zero)
      if (counters !== undefined) {
        TransferCounters.addRecords(counters, { block: batch.block, normal: PageRuns.empty, zero }, bytes)
      }
      return normal.length === 0 ? undefined : Job.batch({ ...batch, pages: normal })
    })
    return jobs.pipe(
      Stream.mapEffect((job) => (job._tag === "Sync" ? Effect.succeed<Job.Job<B>>(job) : sift(job.batch))),
      Stream.filter((job) => job !== undefined)
    )
  })
