/**
 * A machine at rest as the source of a postcopy migration: the guest runs on the destination at once, and its pages
 * arrive when it touches them.
 *
 * ```text
 *   here                                               QEMU, with postcopy-ram on
 *     │ ── header, list of blocks, ADVISE ───────────▶ │   throws its memory away
 *     │ ◀────────────────────────────────────── PONG 1 │
 *     │ ══ another connection, with preempt ═════════▶ │
 *     │ ── DISCARD, prefix, device state, RUN ───────▶ │
 *     │ ◀────────────────────────────────────── PONG 3 │   the guest runs
 *     │ ◀───────────────────────────────────── request │   it touches a page
 *     │ ── that page; all others meanwhile ──────────▶ │
 *     │ ── END, when all that are present were sent ─▶ │
 *     │ ◀────────────────────────────────────── SHUT 0 │
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { Options, PostcopyError, Sent } from "./internal/model.ts"
import * as Operation from "./internal/operation.ts"

export type { Options, PagePlace, PostcopyError, Sent } from "./internal/model.ts"

/**
 * Starts the guest of a machine at rest on a destination, and serves its pages until it has all of them.
 *
 * **Details**
 *
 * Each page is sent once. A page that the source does not have is sent only on request, and is zero otherwise. A page
 * that cannot be read, because its checksum is wrong, is not sent: the rest is served until the guest requests that
 * page.
 *
 * **Failure effect**: until the guest runs, the destination has failed and cannot be used again. Afterwards it is in
 * `postcopy-paused`, and `recover` continues.
 *
 * @stability unstable
 * @category running
 * @since 0.1.0
 */
export const send: <E extends { readonly message: string }>(
  options: Options<E>
) => Effect.Effect<Sent, E | PostcopyError> = Effect.fn("Postcopy.send")((options) => Operation.run(options, "begin"))

/**
 * Serves a guest whose source has gone: the destination, in `postcopy-paused`, listens again after `migrate-recover`.
 * It reports the pages that it has, and gets the others.
 *
 * **Failure effect**: the destination is still in `postcopy-paused`.
 *
 * @stability unstable
 * @category running
 * @since 0.1.0
 */
export const recover: <E extends { readonly message: string }>(
  options: Options<E>
) => Effect.Effect<Sent, E | PostcopyError> = Effect.fn("Postcopy.recover")((options) =>
  Operation.run(options, "recover")
)
