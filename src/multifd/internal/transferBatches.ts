import * as Effect from "effect/Effect"
import type { LoadedBatch, PageBatch } from "../../ram/PageBatch.ts"
import type { Channel } from "../../transfer/Channel.ts"
import { makeBufferPair } from "../../transfer/ChannelBuffer.ts"
import type { OneAhead } from "../../transfer/OneAhead.ts"
import type { Watchdog } from "../Watchdog.ts"

interface Options<in out E> {
  /** Sends a loaded batch. */
  readonly send: (batch: LoadedBatch<unknown>) => Effect.Effect<void, E>
  /** Sends the batches that were read into a buffer. */
  readonly ahead: OneAhead<E>
  /** Reads a batch into the buffer, if it needs one. */
  readonly load: <B>(batch: PageBatch<B>, buffer: (length: number) => Uint8Array) => Effect.Effect<LoadedBatch<B>, B>
  readonly working: Watchdog["working"]
}

/**
 * The `transfer` of a sending channel: reads one batch while it still sends the previous one, with two buffers in turn.
 *
 * It ends when the batch's memory may change again: at once if its bytes are in a buffer, otherwise when they are sent.
 * It fails with the error of an earlier batch, or its own.
 *
 * If reading and sending alternated, the channel would wait for the reading thread, and its peer for the channel, in
 * turn; on a busy machine each wait takes milliseconds.
 *
 * @internal
 */
export const transferBatches = <E>({ ahead, load, send, working }: Options<E>): Channel<E>["transfer"] => {
  const buffers = makeBufferPair()
  const sendBehind = (batch: LoadedBatch<unknown>): Effect.Effect<void, E> =>
    Effect.map(ahead.submit(send(batch)), buffers.swap)
  return (batch) =>
    Effect.flatMap(working(load(batch, buffers.take)), (loaded) =>
      isInMemory(loaded) ? Effect.andThen(ahead.drained, send(loaded)) : sendBehind(loaded)
    )
}

const isInMemory = ({ block }: LoadedBatch<unknown>): boolean => block.reader.view !== undefined
