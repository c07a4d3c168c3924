import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"

/** Time for the other side to report why it closed. */
const GRACE = "2 seconds"

const failureOf = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<E> =>
  Effect.flatMap(Fiber.await(fiber), (exit) => {
    const failure = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason) : undefined
    if (failure !== undefined) return Effect.succeed(failure.error)
    return Exit.isFailure(exit) ? Effect.failCause(exit.cause as Cause.Cause<never>) : Effect.never
  })

/** A defect of our own side. QEMU sees an ordinary failure, and its report does not explain it. */
const defectOf = (exit: Exit.Exit<unknown, unknown>): Cause.Cause<never> | undefined => {
  const defect = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isDieReason) : undefined
  return defect && Cause.fromReasons([defect])
}

/**
 * Runs the two sides of one migration, ours and QEMU's. When one fails, the other fails as a result. The first error
 * may be only a consequence, so the other side gets a little time to report more. A defect of either is a defect of
 * both.
 *
 * @internal
 */
export const runBothEnds = <A, B, E1, E2, E>(
  here: Effect.Effect<A, E1>,
  there: Effect.Effect<B, E2>,
  options: {
    readonly isConsequence: (error: E1 | E2) => boolean
    /** Chooses the cause, if both have failed. */
    readonly explain: (here: E1, there: E2) => E
  }
): Effect.Effect<readonly [A, B], E | E1 | E2> =>
  Effect.gen(function* () {
    const ours = yield* Effect.forkScoped(here)
    const theirs = yield* Effect.forkScoped(there)
    const ended = Effect.all([Fiber.await(ours), Fiber.await(theirs)])
    const failed = Effect.raceFirst(failureOf<A, E1 | E2>(ours), failureOf<B, E1 | E2>(theirs))
    const patience = Effect.flatMap(failed, (error) => Effect.sleep(options.isConsequence(error) ? GRACE : 0))
    yield* Effect.raceFirst(ended, patience)
    yield* Fiber.interruptAll([ours, theirs])
    const [oursExit, theirsExit] = yield* ended
    const defect = defectOf(oursExit) ?? defectOf(theirsExit)
    if (defect !== undefined) return yield* Effect.failCause(defect)
    const ourError = Exit.findErrorOption(oursExit)
    const theirError = Exit.findErrorOption(theirsExit)
    if (Option.isSome(ourError) && Option.isSome(theirError)) {
      return yield* Effect.fail(options.explain(ourError.value, theirError.value))
    }
    if (Option.isSome(ourError)) return yield* Effect.fail(ourError.value)
    if (Option.isSome(theirError)) return yield* Effect.fail(theirError.value)
    return [yield* oursExit, yield* theirsExit] as const
  }).pipe(Effect.scoped)
