import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Pull from "effect/Pull"
import * as Queue from "effect/Queue"
import { allOrFirstError } from "./firstError.ts"

/**
 * A second pair of hands: does one piece of work while its owner prepares the next.
 *
 * @internal
 */
export interface Helper<in out E> {
  /** Waits until the work before is done, and has `work` begun. So at most one piece is under way, and they are in order. */
  readonly submit: (work: Effect.Effect<void, E>) => Effect.Effect<void>
  /** Waits until everything submitted is done. */
  readonly drained: Effect.Effect<void>
}

/**
 * Runs `owner` with a helper of its own; ends when both have come to their end. The first failure of either interrupts the
 * other.
 *
 * @internal
 */
export const withHelper = <E, R>(owner: (helper: Helper<E>) => Effect.Effect<void, E, R>): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    const queue = yield* Queue.bounded<Effect.Effect<void, E>, Cause.Done>(1)
    const idle = Latch.makeUnsafe(true)
    const submit = (work: Effect.Effect<void, E>) =>
      Effect.flatMap(idle.await, () => {
        idle.closeUnsafe()
        return Queue.offer(queue, work)
      })
    const help = Queue.take(queue).pipe(
      Effect.flatMap((work) => Effect.andThen(work, idle.open)),
      Effect.forever,
      Pull.catchDone(() => Effect.void)
    )
    const own = Effect.andThen(owner({ submit, drained: idle.await }), Queue.end(queue))
    yield* allOrFirstError<E, R>([Effect.asVoid(own), help])
  })
