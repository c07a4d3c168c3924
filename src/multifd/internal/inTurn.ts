import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"

/**
 * Work that is started one piece after another, while its caller continues.
 *
 * @internal
 */
export interface InTurn<in out E> {
  /** Waits for the previous piece and fails as it does; then starts this one, and ends. */
  readonly begin: (self: Effect.Effect<void, E>) => Effect.Effect<void, E>
  /** Waits for the piece in progress, and fails as it does. */
  readonly settled: Effect.Effect<void, E>
}

/**
 * Leaving the scope interrupts the piece in progress.
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
