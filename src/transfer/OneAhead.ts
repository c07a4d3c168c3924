/**
 * Work that continues while its owner prepares the next piece.
 *
 * ```text
 *   owner   │ A  │ B  ·····│ C  ·····│        · waits
 *   work         │ A       │ B       │ C
 * ```
 *
 * @internal
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import { allOrFirstError } from "./FirstError.ts"

/**
 * At most one piece of work is in progress, and pieces run in the order they were submitted. `E` is the failure of a
 * piece, `F` the failure of a call.
 *
 * @internal
 */
export interface OneAhead<in E, out F = E> {
  /** Waits until the previous piece has ended, and starts `work`. Fails as an earlier piece did. */
  readonly submit: (work: Effect.Effect<void, E>) => Effect.Effect<void, F>
  /** Waits until the piece in progress has ended. Fails as it does. */
  readonly drained: Effect.Effect<void, F>
}

/**
 * The work of an owner that has many ends: a failure surfaces in its next call. Leaving the scope interrupts the piece
 * in progress.
 *
 * @internal
 */
export const make = <E>(): Effect.Effect<OneAhead<E>, never, Scope.Scope> =>
  Effect.suspend(() => {
    const worker = makeWorker<E>()
    let failure: Effect.Effect<void, E> = Effect.void
    const fail = (cause: Cause.Cause<E>): void => {
      failure = Effect.failCause(cause)
      worker.idle.openUnsafe()
    }
    const drained = Effect.andThen(
      worker.idle.await,
      Effect.suspend(() => failure)
    )
    const ahead: OneAhead<E> = { submit: (work) => Effect.andThen(drained, worker.submit(work)), drained }
    const run = Effect.catchCause(worker.run, (cause) => Effect.sync(() => fail(cause)))
    return Effect.as(Effect.forkScoped(run, { startImmediately: true }), ahead)
  })

/**
 * The work of an owner that is one effect. Ends when both have ended; the first failure of either interrupts the other,
 * even if the owner is waiting for something else.
 *
 * @internal
 */
export const during = <E, R>(
  owner: (ahead: OneAhead<E, never>) => Effect.Effect<void, E, R>
): Effect.Effect<void, E, R> =>
  Effect.suspend(() => {
    const { end, idle, run, submit } = makeWorker<E>()
    const own = Effect.flatMap(owner({ submit, drained: idle.await }), () => end)
    return allOrFirstError<E, R>([own, run])
  })

/** The fiber that works, and what its owner sees of it. */
const makeWorker = <E>() => {
  const idle = Latch.makeUnsafe(true)
  const due = Latch.makeUnsafe()
  let next: Effect.Effect<void, E> | undefined

  const submit = (work: Effect.Effect<void, E>): Effect.Effect<void> =>
    Effect.map(idle.await, () => {
      idle.closeUnsafe()
      next = work
      due.openUnsafe()
    })
  /** Finished work is not retained: a queue would link one piece to the next, and keep them until a full collection. */
  const run: Effect.Effect<void, E> = Effect.flatMap(due.await, () => {
    if (next === undefined) return Effect.void
    const work = next
    next = undefined
    due.closeUnsafe()
    return Effect.flatMap(work, () => {
      idle.openUnsafe()
      return run
    })
  })
  return { idle, submit, run, end: Effect.asVoid(Effect.andThen(idle.await, due.open)) }
}
