import * as Effect from "effect/Effect"

/** A piece of this length is passed on by itself. */
const MIN_BYTES = 4096
const ROOM_BYTES = 64 * 1024

/**
 * Joins short pieces.
 *
 * @internal
 */
export interface Gather<out E> {
  /** The pushed bytes may change again when this ends. */
  readonly push: (bytes: Uint8Array) => Effect.Effect<void, E>
  /** Passes on the held bytes; call it after the last piece. */
  readonly flush: Effect.Effect<void, E>
}

/**
 * Joins pieces for consumers with a cost per piece, such as a write or an object in memory: a peer that sends one byte
 * at a time would multiply that. Pieces are valid until `take` ends.
 *
 * @internal
 */
export const makeGather = <E>(take: (bytes: Uint8Array) => Effect.Effect<void, E>): Gather<E> => {
  const held = new Uint8Array(ROOM_BYTES)
  let used = 0

  const flush = Effect.suspend(() => {
    if (used === 0) return Effect.void
    const piece = held.subarray(0, used)
    used = 0
    return take(piece)
  })
  const push = (bytes: Uint8Array): Effect.Effect<void, E> =>
    Effect.suspend(() => {
      if (used === 0 && bytes.length >= MIN_BYTES) return take(bytes)
      if (used + bytes.length > held.length) return Effect.andThen(flush, push(bytes))
      held.set(bytes, used)
      used += bytes.length
      return Effect.void
    })
  return { push, flush }
}
