import * as Effect from "effect/Effect"

/** A piece that is this long is worth handing on by itself. */
const MIN_BYTES = 4096
const ROOM_BYTES = 64 * 1024

/**
 * Puts short pieces together.
 *
 * @internal
 */
export interface Gather<out E> {
  /** What is pushed may change again when this ends. */
  readonly push: (bytes: Uint8Array) => Effect.Effect<void, E>
  /** Hands on whatever is held back; to be called behind the last piece. */
  readonly flush: Effect.Effect<void, E>
}

/**
 * Gathers for whoever spends something on each piece, be it a write or an object in memory: a peer that sends one byte at a
 * time would make that many times as much as its bytes. Pieces are valid until `take` ends.
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
