import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** Failures that followed the first one. */
class LaterFailures extends Context.Service<LaterFailures, ReadonlyArray<Cause.Cause<unknown>>>()(
  "effect-multifd/transfer/LaterFailures"
) {}

/** Records a failure that cannot leave its fiber. */
const Reporter = Context.Reference<(cause: Cause.Cause<unknown>) => void>("effect-multifd/transfer/Reporter", {
  defaultValue: () => () => {}
})

/**
 * Wraps a step that interruption must wait for, such as a system call. If it fails during an interruption, the
 * interruption replaces the failure; `allOrFirstError` still gets it.
 *
 * @internal
 */
export const reportingFailure = <A, E, R>(step: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.uninterruptible(Effect.tapCause(step, (cause) => Effect.map(Reporter, (report) => report(cause))))

/**
 * Runs all effects concurrently. The first failure fails the whole, with its own type, and interrupts the others. When
 * they have ended, their own failures are attached to it.
 *
 * `Effect.all` alone would raise the later failures as well, and turn a typed error into a defect if one of them is a
 * defect.
 *
 * @internal
 */
export const allOrFirstError = <E, R>(effects: ReadonlyArray<Effect.Effect<void, E, R>>): Effect.Effect<void, E, R> =>
  Effect.suspend(() => {
    let first: Cause.Cause<E> | undefined
    const later: Array<Cause.Cause<unknown>> = []
    const collectFailure = (exit: Exit.Exit<void, E>, hidden: Cause.Cause<unknown> | undefined): void => {
      if (Exit.isSuccess(exit)) return
      const raised = Cause.hasInterruptsOnly(exit.cause) ? undefined : firstOf(exit.cause)
      const failure = Cause.hasInterrupts(exit.cause) ? (hidden ?? raised) : raised
      if (first === undefined && raised !== undefined) first = raised
      else if (failure !== undefined) later.push(failure)
    }
    const all = Effect.all(
      effects.map((effect) => watched(effect, collectFailure)),
      { concurrency: "unbounded", discard: true }
    )
    return Effect.catchCause(all, (cause) => Effect.failCause(first === undefined ? cause : attach(first, later)))
  })

const watched = <E, R>(
  effect: Effect.Effect<void, E, R>,
  collectFailure: (exit: Exit.Exit<void, E>, hidden: Cause.Cause<unknown> | undefined) => void
): Effect.Effect<void, E, R> =>
  Effect.suspend(() => {
    let hidden: Cause.Cause<unknown> | undefined
    return effect.pipe(
      Effect.provideService(Reporter, (cause) => void (hidden ??= cause)),
      Effect.onExit((exit) => Effect.sync(() => collectFailure(exit, hidden)))
    )
  })

/** Of failures that occurred together in one effect, such as concurrent writes: the first, with the others attached. */
const firstOf = <E>(cause: Cause.Cause<E>): Cause.Cause<E> => {
  const [first, ...others] = cause.reasons.filter(Cause.isFailReason).map((reason) => Cause.fromReasons([reason]))
  return first === undefined || others.length === 0 ? cause : attach(first, others)
}

/**
 * Wraps an effect that does several things concurrently. If more than one of them fails, it fails with the first error,
 * and the others are attached.
 *
 * @internal
 */
export const withFirstError = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.catchCause(effect, (cause) => Effect.failCause(firstOf(cause)))

/**
 * The failures that `allOrFirstError` attached to a cause.
 *
 * @internal
 */
export const laterFailures = (cause: Cause.Cause<unknown>): ReadonlyArray<Cause.Cause<unknown>> =>
  Context.getOrUndefined(Cause.annotations(cause), LaterFailures) ?? []

const attach = <E>(first: Cause.Cause<E>, later: ReadonlyArray<Cause.Cause<unknown>>): Cause.Cause<E> =>
  later.length === 0
    ? first
    : Cause.annotate(first, Context.make(LaterFailures, [...laterFailures(first), ...later]), { overwrite: true })
