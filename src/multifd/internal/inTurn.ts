import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"

/**
 * Work that is begun one piece after the other, while whoever hands it over goes on.
 *
 * @internal
 */
export interface InTurn<in out E> {
  /** Waits for the piece before and fails as it does; begins this one, and ends. */
  readonly begin: (self: Effect.Effect<void, E>) => Effect.Effect<void, E>
  /** Waits for the piece under way, and fails as it does. */
  readonly settled: Effect.Effect<void, E>
}

/**
 * Leaving the scope interrupts the piece under way.
 *
 * @internal
 */
export const makeInTurn = <E>(): Effect.Effect<InTurn<E>, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    let underWay: Effect.Effect<void, E> = Effect.void
    const settled = Effect.suspend(() => underWay)
    const fork = (self: Effect.Effect<void, E>): Effect.Effect<void> =>
      Effect.map(Effect.forkIn(self, scope, { startImmediately: true }), (fiber) => {
        underWay = Fiber.join(fiber)
      })
    return { begin: (self) => Effect.andThen(settled, fork(self)), settled }
  })
