import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

interface Hands {
  /** Milliseconds since the start. */
  readonly now: () => number
  /** Runs a function `millis` milliseconds later, unless it is cancelled. */
  readonly after: (millis: number, run: () => void) => () => void
}

const nanosOf = (millis: number): bigint => BigInt(Math.round(millis * 1_000_000))

/**
 * A clock whose time is controlled from outside. It starts at 0.
 *
 * @internal
 */
export const virtualClock = ({ after, now }: Hands): Clock.Clock => ({
  currentTimeMillisUnsafe: () => Math.floor(now()),
  currentTimeMillis: Effect.sync(() => Math.floor(now())),
  currentTimeNanosUnsafe: () => nanosOf(now()),
  currentTimeNanos: Effect.sync(() => nanosOf(now())),
  monotonicTimeNanosUnsafe: () => nanosOf(now()),
  monotonicTimeNanos: Effect.sync(() => nanosOf(now())),
  sleep: (duration) => {
    const millis = Duration.toMillis(duration)
    if (millis <= 0) return Effect.yieldNow
    if (!Number.isFinite(millis)) return Effect.never
    return Effect.callback<void>((resume) => {
      const cancel = after(millis, () => resume(Effect.void))
      return Effect.sync(cancel)
    })
  }
})
