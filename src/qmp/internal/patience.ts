import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { PeerTimeoutError } from "../../io/ConnectionError.ts"
import type * as Limits from "../../multifd/Limits.ts"

const DEFAULT = Duration.seconds(60)

/**
 * The limits of a migration whose QEMU may keep us waiting for so long. Its connections have to be there in time even if nothing
 * is asked of them afterwards.
 *
 * @internal
 */
export const limitsOf = (timeout: Duration.Input): Pick<Limits.Input, "handshakeTimeout" | "idleTimeout"> => {
  const duration = Duration.fromInputUnsafe(timeout)
  return Duration.isFinite(duration)
    ? { handshakeTimeout: duration, idleTimeout: duration }
    : { idleTimeout: Duration.infinity }
}

/**
 * Waits no longer than QEMU may keep us waiting.
 *
 * @internal
 */
export const within =
  (peer: string, expected: string, timeout: Duration.Input = DEFAULT) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | PeerTimeoutError, R> => {
    const duration = Duration.fromInputUnsafe(timeout)
    if (!Duration.isFinite(duration)) return self
    const orElse = () =>
      Effect.fail(new PeerTimeoutError({ peer, expected, milliseconds: Duration.toMillis(duration) }))
    return Effect.timeoutOrElse(self, { duration, orElse })
  }
