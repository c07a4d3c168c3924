/**
 * The channel of a migration without multifd: pages are records on the main channel.
 *
 * ```text
 *   batch        ██··█·██████·····██      █ normal page   · zero page
 *   records      Z Z Z Z … P P P P …      all zero pages of the batch, then all normal ones
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { TransferError } from "../io/sockets/Connection.ts"
import * as PageBatch from "../ram/PageBatch.ts"
import type { Channel } from "../transfer/Channel.ts"
import * as OneAhead from "../transfer/OneAhead.ts"
import { transferBatches } from "./internal/transferBatches.ts"
import type { MainChannel } from "./MainChannel.ts"
import * as TransferCounters from "../transfer/TransferCounters.ts"
import type { Watchdog } from "./Watchdog.ts"

/**
 * Options of such a channel.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * Only this channel writes to it while batches move: the pipeline has no other channel, and marks follow its barrier.
   */
  readonly main: MainChannel
  /** `true` to detect zero pages and send them without their bytes; otherwise all pages are sent. Default `true`. */
  readonly detectZeroPages?: boolean | undefined
  /** Counts the sent data, including the heads of records. */
  readonly counters?: TransferCounters.TransferCounters | undefined
  /** Notified of time in which we do not wait for the peer. */
  readonly watchdog?: Pick<Watchdog, "working"> | undefined
}

/**
 * Makes the only channel, number 0, of a migration without multifd.
 *
 * **Details**
 *
 * Pages in process memory are written in place. Others are read into one of two buffers of the channel, each of one
 * batch, and written while the next batch is read. `sync` and `finish` wait for that and write nothing: the peer stores
 * in the order of the main channel, and the owner of the main channel ends it.
 *
 * **Failure effect**: the peer may have any part of the batch, and must discard the whole migration.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Channel<TransferError>, never, Scope.Scope> {
  const { counters, detectZeroPages = true, main, watchdog } = options
  const working: Watchdog["working"] = watchdog?.working ?? ((self) => self)
  const load = detectZeroPages ? PageBatch.load : PageBatch.loadAll
  const ahead = yield* OneAhead.make<TransferError>()
  const send = Effect.fnUntraced(function* (
    batch: PageBatch.LoadedBatch<unknown>
  ): Effect.fn.Return<void, TransferError> {
    const bytes = (yield* main.zeros(batch, batch.zero)) + (yield* main.pages(batch))
    if (counters !== undefined) TransferCounters.addRecords(counters, batch, bytes)
  })
  return {
    id: 0,
    transfer: transferBatches({ ahead, load, send, working }),
    sync: ahead.drained,
    finish: ahead.drained
  }
})
