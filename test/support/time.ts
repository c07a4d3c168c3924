/** Time for tests of timeouts over a network in memory. */
import type * as Duration from "effect/Duration"
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

/** How fast time passes: the turns of the event loop that are left to others between two steps of the clock. */
export interface Pace {
  readonly turns: number
  readonly step: Duration.Input
}

/** Lets time pass, but only as fast as a network and a disk in memory can follow. */
export const whileTimePasses = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  pace: Pace = { turns: 30, step: "1 second" }
): Effect.Effect<A, E, R> =>
  Effect.raceFirst(self, Effect.forever(Effect.andThen(turns(pace.turns), TestClock.adjust(pace.step))))

/** Lets time pass for fibers that only sleep, for sleeps that are registered meanwhile as well. */
export const whileMillisPass = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.raceFirst(self, Effect.forever(TestClock.adjust("1 millis")))
