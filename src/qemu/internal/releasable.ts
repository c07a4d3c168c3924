import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { RateLimit } from "../../transfer/RateLimit.ts"

/**
 * A limit of which one migration can be freed, whoever else goes by it.
 *
 * @internal
 */
export interface Releasable {
  readonly limit: RateLimit
  /** From now on there is no limit, also for whoever waits. */
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
