import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { RateLimit } from "../../transfer/RateLimit.ts"

/**
 * A limit from which one migration can be released, without an effect on its other users.
 *
 * @internal
 */
export interface Releasable {
  readonly limit: RateLimit
  /** Removes the limit from now on, for current waiters as well. */
  readonly lift: Effect.Effect<void>
}

/**
 * @internal
 */
export const releasable = (limit: RateLimit): Releasable => {
  const lifted = Latch.makeUnsafe()
  let isLifted = false
  return {
    limit: {
      ...limit,
      take: (bytes) =>
        Effect.suspend(() => (isLifted ? Effect.void : Effect.raceFirst(limit.take(bytes), lifted.await))),
      piece: () => (isLifted ? Infinity : limit.piece()),
      bytesPerSecond: () => (isLifted ? 0 : limit.bytesPerSecond())
    },
    lift: Effect.suspend(() => {
      isLifted = true
      return lifted.open
    })
  }
}
