/** Time for tests of timeouts over a network in memory. */
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"

/** Waits for so many turns of the event loop. */
export const turns = (count: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const next = (left: number): void => {
      if (left === 0) resume(Effect.void)
      else setImmediate(() => next(left - 1))
    }
    next(count)
  })

/** Lets time pass, but only as fast as a network and a disk in memory can follow. */
export const whileTimePasses = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.raceFirst(self, Effect.forever(Effect.andThen(turns(30), TestClock.adjust("1 second"))))
