/** Subscribers to events, each with its own queue: a slow one delays neither the others nor the answers to commands. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"

/**
 * @internal
 */
export interface Subscribers<A, E> {
  /** Queues everything from now on, until the scope ends; fails at the end of the events. */
  readonly subscribe: Effect.Effect<Queue.Dequeue<A, E>, never, Scope.Scope>
  readonly publish: (value: A) => void
  /** Fails all subscribers, including future ones. */
  readonly end: (reason: E) => void
}

/**
 * Queues up to `limit` values per subscriber. A subscriber whose queue overflows fails with `lost`, and gets no more.
 *
 * @internal
 */
export const make = <A, E>(limit: number, lost: () => E): Subscribers<A, E> => {
  const queues = new Set<Queue.Queue<A, E>>()
  let ending: Cause.Cause<E> | undefined

  const leave = (queue: Queue.Queue<A, E>, reason: Cause.Cause<E>): void => {
    queues.delete(queue)
    Queue.failCauseUnsafe(queue, reason)
  }
  const join = Effect.map(Queue.dropping<A, E>(limit), (queue) => {
    if (ending === undefined) queues.add(queue)
    else Queue.failCauseUnsafe(queue, ending)
    return queue
  })
  const part = (queue: Queue.Queue<A, E>) =>
    Effect.andThen(
      Effect.sync(() => queues.delete(queue)),
      Queue.shutdown(queue)
    )
  return {
    subscribe: Effect.acquireRelease(join, part),
    publish: (value) => {
      for (const queue of queues) if (!Queue.offerUnsafe(queue, value)) leave(queue, Cause.fail(lost()))
    },
    end: (reason) => {
      ending = Cause.fail(reason)
      for (const queue of queues) leave(queue, ending)
    }
  }
}
