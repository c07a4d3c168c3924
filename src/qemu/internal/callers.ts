/** Callers waiting for an answer, by the id of their command. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

/**
 * A command without an answer so far.
 *
 * @internal
 */
export interface Caller<E> {
  readonly id: number
  readonly command: string
  readonly answer: Deferred.Deferred<unknown, E>
}

/**
 * @internal
 */
export interface Callers<E> {
  /** Assigns an id to a command. */
  readonly add: (command: string) => Caller<E>
  /** Stops waiting: an answer that comes now is ignored. */
  readonly remove: (caller: Caller<E>) => void
  readonly isWaiting: (caller: Caller<E>) => boolean
  /** `true` if a command with this id was ever sent: not every answer still has a caller. */
  readonly isKnown: (id: number) => boolean
  readonly answer: (id: number, result: (caller: Caller<E>) => Effect.Effect<unknown, E>) => void
  /** Fails all callers. */
  readonly end: (reason: (command: string) => E) => void
}

/**
 * @internal
 */
export const make = <E>(): Callers<E> => {
  const waiting = new Map<number, Caller<E>>()
  let lastId = 0

  const answer: Callers<E>["answer"] = (id, result) => {
    const caller = waiting.get(id)
    if (caller === undefined) return
    waiting.delete(id)
    Deferred.doneUnsafe(caller.answer, result(caller))
  }
  return {
    add: (command) => {
      const caller = { id: ++lastId, command, answer: Deferred.makeUnsafe<unknown, E>() }
      waiting.set(caller.id, caller)
      return caller
    },
    remove: ({ id }) => void waiting.delete(id),
    isWaiting: ({ id }) => waiting.has(id),
    isKnown: (id) => Number.isInteger(id) && id >= 1 && id <= lastId,
    answer,
    end: (reason) => {
      for (const id of [...waiting.keys()]) answer(id, ({ command }) => Effect.fail(reason(command)))
    }
  }
}
