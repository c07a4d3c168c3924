import * as Effect from "effect/Effect"
import type { PageDigests } from "../../format/seal/PageDigests.ts"

/** About a millisecond's work. */
const EXTENTS_AT_ONCE = 256

/**
 * Computes the digests of written pages, in pieces that let the event loop run in between. The final `extents` then has
 * nothing left to compute.
 *
 * @internal
 */
export const digestPending = (all: Iterable<PageDigests>): Effect.Effect<void> =>
  Effect.forEach(all, settleOne, { discard: true })

const settleOne = (digests: PageDigests): Effect.Effect<void> =>
  Effect.suspend(() =>
    digests.advance(EXTENTS_AT_ONCE) ? Effect.andThen(Effect.yieldNow, settleOne(digests)) : Effect.void
  )
