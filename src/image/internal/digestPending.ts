import * as Effect from "effect/Effect"
import type { PageDigests } from "../../format/seal/PageDigests.ts"

/** About a millisecond's work. */
const EXTENTS_AT_ONCE = 256

/**
 * Works out the digests of what was written, in pieces between which the event loop goes on; the last word, from `extents`,
 * is then no work any more.
 *
 * @internal
 */
export const digestPending = (all: Iterable<PageDigests>): Effect.Effect<void> =>
  Effect.forEach(all, settleOne, { discard: true })

const settleOne = (digests: PageDigests): Effect.Effect<void> =>
  Effect.suspend(() =>
    digests.advance(EXTENTS_AT_ONCE) ? Effect.andThen(Effect.yieldNow, settleOne(digests)) : Effect.void
  )
