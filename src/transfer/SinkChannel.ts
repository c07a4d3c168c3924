/**
 * A channel that stores batches through page sinks: the general way, for sources and targets without a faster one.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as PageBatch from "../ram/PageBatch.ts"
import * as PageRuns from "../ram/PageRuns.ts"
import type { Channel } from "./Channel.ts"
import { makeBuffer } from "./ChannelBuffer.ts"
import type { PageSink, Pages } from "./PageSink.ts"
import type * as RateLimit from "./RateLimit.ts"

/**
 * Options of a sink channel.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options<out E = never> {
  /** 0 ≤ id < number of channels. */
  readonly id: number
  /** By `idstr`: a sink for every block of the batches. */
  readonly sinks: ReadonlyMap<string, PageSink<E>>
  /** The migration's limit. Default: none. */
  readonly rateLimit?: RateLimit.RateLimit | undefined
}

/** The pages of a batch, with short gaps between two runs included as zeros. */
const pagesOf = ({ data, normal, offset, block, pages, zero }: PageBatch.LoadedBatch<unknown>, gap: number): Pages => {
  const { pageSize } = block
  const merged = PageRuns.intersect(PageRuns.merge(normal, gap), pages)
  const extents: Array<Pages["extents"][number]> = []
  PageRuns.forEach(merged, (first, count) => {
    const start = first * pageSize
    extents.push({ offset: offset + start, bytes: data.subarray(start, start + count * pageSize) })
  })
  const shift = (runs: PageRuns.PageRuns) => PageRuns.shift(runs, offset / pageSize)
  return { extents, normal: shift(normal), zero: shift(zero), gaps: shift(PageRuns.intersect(zero, merged)) }
}

/**
 * Makes the channel. A sink in memory gets its bytes in place; others get them from the channel's buffer.
 *
 * **Failure effect**: that of the sink.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const make = <E = never>({ id, rateLimit, sinks }: Options<E>): Channel<E> => {
  const buffer = makeBuffer()
  const store = (batch: PageBatch.LoadedBatch<unknown>): Effect.Effect<void, E> => {
    const sink = sinks.get(batch.block.idstr)
    if (sink === undefined) return Effect.die(new Error(`no sink is known for block ${batch.block.idstr}`))
    const pages = pagesOf(batch, sink.coalescePages)
    for (const { bytes, offset } of pages.extents) sink.view?.(offset, bytes.length).set(bytes)
    return sink.store(pages)
  }
  const limited = (batch: PageBatch.LoadedBatch<unknown>) =>
    rateLimit === undefined
      ? store(batch)
      : Effect.andThen(rateLimit.take(PageRuns.pages(batch.normal) * batch.block.pageSize), store(batch))
  return {
    id,
    transfer: (batch) => Effect.flatMap(PageBatch.load(batch, buffer), limited),
    sync: Effect.void,
    finish: Effect.void
  }
}
