import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import { allOrFirstError } from "../../transfer/FirstError.ts"

/**
 * A helper fiber that does one piece of work while its owner prepares the next.
 *
 * @internal
 */
export interface Helper<in out E> {
  /**
   * Waits until the previous work is done, and starts `work`. So at most one piece is in progress, and they run in
   * order.
   */
  readonly submit: (work: Effect.Effect<void, E>) => Effect.Effect<void>
  /** Waits until everything submitted is done. */
  readonly drained: Effect.Effect<void>
}

/**
 * Runs `owner` with a helper; ends when both have ended. The first failure of either interrupts the other.
 *
 * @internal
 */
export const withHelper = <E, R>(owner: (helper: Helper<E>) => Effect.Effect<void, E, R>): Effect.Effect<void, E, R> =>
  Effect.suspend(() => {
    const idle = Latch.makeUnsafe(true)
    const due = Latch.makeUnsafe()
    let next: Effect.Effect<void, E> | undefined

    const submit = (work: Effect.Effect<void, E>) =>
      Effect.map(idle.await, () => {
        idle.closeUnsafe()
        next = work
        due.openUnsafe()
      })
    /**
     * Finished work is not retained: a queue would link one piece to the next, and keep them until a full collection.
     */
    const help: Effect.Effect<void, E> = Effect.flatMap(due.await, () => {
      if (next === undefined) return Effect.void
      const work = next
      next = undefined
      due.closeUnsafe()
      return Effect.flatMap(work, () => {
        idle.openUnsafe()
        return help
      })
    })
    const own = Effect.flatMap(owner({ submit, drained: idle.await }), () => Effect.andThen(idle.await, due.open))
    return allOrFirstError<E, R>([Effect.asVoid(own), help])
  })
