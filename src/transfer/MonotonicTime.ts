/**
 * Times of a monotonic clock, which no change of the date moves.
 *
 * @internal
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/**
 * Nanoseconds in milliseconds.
 *
 * @internal
 */
export const millisOf = (nanos: bigint): number => Number(nanos) / 1e6

/**
 * Milliseconds since some moment in the past.
 *
 * @internal
 */
export const millis: Effect.Effect<number> = Clock.clockWith((clock) =>
  Effect.sync(() => millisOf(clock.monotonicTimeNanosUnsafe()))
)
