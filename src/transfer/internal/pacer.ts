import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/**
 * Longer than any batch takes, so that yielding takes less than a percent of the time; short enough for a p99 of 5 ms.
 */
const budgetNanos = 2_000_000n

/**
 * An effect to run before each piece of synchronous work. All fibers that share it work together for about 2 ms between
 * two turns of the event loop, however many they are. A fiber that finds the budget used up waits for the next turn and
 * checks again, because the others may have used up that one as well.
 *
 * A save of zero pages makes no system call, and Effect itself yields only after thousands of operations, each of which
 * may be a megabyte here. So time is measured, once per batch, by the `Clock` service (about 50 ns). Counting bytes
 * instead would require the speed of examining them, which varies tenfold with page faults.
 *
 * @internal
 */
export const makePacer: Effect.Effect<Effect.Effect<void>> = Clock.clockWith((clock) =>
  Effect.sync(() => {
    let began = clock.monotonicTimeNanosUnsafe()
    const pace: Effect.Effect<void> = Effect.suspend(() => {
      const seen = began
      return clock.monotonicTimeNanosUnsafe() - seen < budgetNanos ? Effect.void : nextTurn(seen)
    })
    const nextTurn = (seen: bigint) =>
      Effect.flatMap(Effect.yieldNow, () => {
        if (began === seen) began = clock.monotonicTimeNanosUnsafe()
        return pace
      })
    return pace
  })
)
