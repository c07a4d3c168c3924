import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** What failed after the first failure of the same fall. */
class LaterFailures extends Context.Service<LaterFailures, ReadonlyArray<Cause.Cause<unknown>>>()(
  "effect-multifd/multifd/LaterFailures"
) {}

/**
 * Runs all effects at once. The first failure is the failure of the whole, with its own type; it interrupts the others,
 * and when they have ended, whatever they failed with on their way is attached to it as `LaterFailures`.
 *
 * `Effect.all` alone would raise the later failures as well, and turn a typed error into a defect where one of them is.
 *
 * @internal
 */
export const allOrFirstError = <E, R>(effects: ReadonlyArray<Effect.Effect<void, E, R>>): Effect.Effect<void, E, R> =>
  Effect.suspend(() => {
    const failures: Array<Cause.Cause<E>> = []
    const watched = effects.map((effect) => Effect.onExit(effect, (exit) => Effect.sync(() => note(failures, exit))))
    return Effect.catchCause(Effect.all(watched, { concurrency: "unbounded", discard: true }), (cause) => {
      const [first, ...later] = failures
      return Effect.failCause(first === undefined ? cause : attach(first, later))
    })
  })

/**
 * What `allOrFirstError` attached to a cause.
 *
 * @internal
 */
export const laterFailures = (cause: Cause.Cause<unknown>): ReadonlyArray<Cause.Cause<unknown>> =>
  Context.getOrUndefined(Cause.annotations(cause), LaterFailures) ?? []

const attach = <E>(first: Cause.Cause<E>, later: ReadonlyArray<Cause.Cause<E>>): Cause.Cause<E> =>
  later.length === 0
    ? first
    : Cause.annotate(first, Context.make(LaterFailures, [...laterFailures(first), ...later]), { overwrite: true })

const note = <E>(failures: Array<Cause.Cause<E>>, exit: Exit.Exit<void, E>): void => {
  if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) failures.push(exit.cause)
}
