/**
 * The barrier at which all participants of a migration meet at the end of a round.
 *
 * ```text
 *              arrive: not the last one
 *            ┌──────────────────────────┐
 *            ▼                          │
 *   ┌─────────────────┐                 │
 *   │ round k,        ├─────────────────┘
 *   │ missing 1 … n   │
 *   └────────┬────────┘
 *            │ arrive: the last one; all n go on
 *            ▼
 *   ┌─────────────────┐
 *   │ round k + 1,    │
 *   │ missing n       │
 *   └─────────────────┘
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"

/**
 * A repeated rendezvous of a fixed number of fibers.
 *
 * @category models
 * @since 0.1.0
 */
export interface SyncBarrier {
  /**
   * Waits until all parties have arrived, and succeeds with the number of the round that ended, from 0.
   *
   * **Gotchas**
   *
   * A party that is interrupted while it waits still counts as arrived: the others must be interrupted as well, as
   * fibers of one migration are.
   */
  readonly arrive: Effect.Effect<number>
}

/**
 * A barrier for `parties` fibers, at least 1.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (parties: number): Effect.Effect<SyncBarrier> =>
  Effect.sync(() => {
    let round = 0
    let missing = parties
    let everyone = Latch.makeUnsafe()

    const arrive = Effect.suspend(() => {
      missing -= 1
      if (missing > 0) return Effect.as(everyone.await, round)
      const ended = everyone
      everyone = Latch.makeUnsafe()
      missing = parties
      return Effect.as(ended.open, round++)
    })
    return { arrive }
  })
