/**
 * The jobs of a sender's pipeline, with the main channel's data between them.
 *
 * ```text
 *   jobs               Batch Batch … Sync     Batch … Sync
 *   withMarks    Sync  Batch Batch … Sync     Batch … Sync     Sync
 *   main channel     ▲                    ▲                ▲         ▲
 *                    START, first mark    mark             mark      RAM's END with the last mark, and the rest
 * ```
 *
 * A pipeline asks for the job after a Sync when all channels have passed the barrier. So data written before that job
 * is returned comes after every channel's SYNC and before every page of the next round.
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
 * Puts rounds, each ended by a Sync, between the marks of a main channel to which everything before RAM's START was
 * written. `started` runs after the first mark, before the first page; `rest` writes everything after RAM's END.
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
    // Runs before the next element: even the search for the pages of the next round may write to the main channel.
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
 * Separates zero pages before the queue and lists them on the main channel (QEMU's `legacy`). The rest of the batches
 * is for channels that do not detect zero pages. Pages that must be read to be examined are read again by their
 * channel; pages in memory, and zero pages known from a bitmap, are not.
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
