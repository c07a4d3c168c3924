import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { LoadedBatch, PageBatch } from "../../ram/PageBatch.ts"
import { makeBuffer } from "../../transfer/ChannelBuffer.ts"
import { makeInTurn } from "./inTurn.ts"

/**
 * Lets a channel read one batch while it still writes the previous one.
 *
 * ```text
 *   read    │ A  │ B  ·····│ A  ·····│ B          two buffers in turn
 *   write        │ A       │ B       │ A
 * ```
 *
 * @internal
 */
export interface WriteBehind<E> {
  /** Loads a batch into the buffer that is not being written, if it needs one. */
  readonly load: <B>(
    batch: PageBatch<B>,
    read: (batch: PageBatch<B>, buffer: (length: number) => Uint8Array) => Effect.Effect<LoadedBatch<B>, B>
  ) => Effect.Effect<LoadedBatch<B>, B>
  /**
   * Writes a loaded batch after everything before it. Ends when the batch's memory may change again: at once if its
   * bytes are in our buffer, otherwise after the write. Fails with the error of an earlier write, or its own.
   */
  readonly write: (batch: LoadedBatch<unknown>, self: Effect.Effect<void, E>) => Effect.Effect<void, E>
  /** Waits for the write in progress, and fails as it does. */
  readonly settled: Effect.Effect<void, E>
}

/**
 * Makes one for a channel; leaving the scope interrupts the write in progress.
 *
 * If reading and writing alternated, the channel would wait for the reading thread, and its peer for the channel, in
 * turn; on a busy machine each wait takes milliseconds.
 *
 * @internal
 */
export const makeWriteBehind = <E>(): Effect.Effect<WriteBehind<E>, never, Scope.Scope> =>
  Effect.map(makeInTurn<E>(), ({ begin, settled }) => {
    let [buffer, other] = [makeBuffer(), makeBuffer()]
    const beginAndChange = (self: Effect.Effect<void, E>): Effect.Effect<void, E> =>
      Effect.map(begin(self), () => {
        ;[buffer, other] = [other, buffer]
      })
    return {
      load: (batch, read) => Effect.suspend(() => read(batch, buffer)),
      write: ({ block }, self) =>
        block.reader.view === undefined ? beginAndChange(self) : Effect.andThen(settled, self),
      settled
    }
  })
