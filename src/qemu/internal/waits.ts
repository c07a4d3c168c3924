import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import { PeerTimeoutError } from "../../io/sockets/ConnectionError.ts"
import * as PeerLimits from "../../multifd/PeerLimits.ts"

/**
 * The limits of our side of a migration with a QEMU that may delay us this long.
 *
 * @internal
 */
export const limitsOf = (
  timeout: Duration.Input | undefined
): Pick<PeerLimits.Input, "handshakeTimeout" | "idleTimeout"> => {
  if (timeout === undefined) return {}
  const duration = Duration.fromInputUnsafe(timeout)
  return Duration.isFinite(duration)
    ? { handshakeTimeout: duration, idleTimeout: duration }
    : { idleTimeout: Duration.infinity }
}

/**
 * Two sides of one migration. When the first one has ended, the second one gets at most `timeout`: it learns of its end
 * only by an event, which a hanging QEMU does not send.
 *
 * @internal
 */
export const endTogether = <A, B, E1, E2, R1, R2>(
  here: Effect.Effect<A, E1, R1>,
  there: Effect.Effect<B, E2, R2>,
  options: {
    /** The monitor's address. */
    readonly peer: string
    readonly timeout: Duration.Input | undefined
    /** The expected event. */
    readonly expected: string
  }
): readonly [Effect.Effect<A, E1, R1>, Effect.Effect<B, E2 | PeerTimeoutError, R2>] => {
  const done = Latch.makeUnsafe()
  const timeout = Duration.fromInputUnsafe(options.timeout ?? PeerLimits.defaults.idleTimeout)
  const milliseconds = Duration.toMillis(timeout)
  const { expected, peer } = options
  const late = Effect.andThen(
    Effect.sleep(timeout),
    Effect.fail(new PeerTimeoutError({ peer, expected, milliseconds }))
  )
  const limit = done.whenOpen(Duration.isFinite(timeout) ? late : Effect.never)
  return [Effect.tap(here, () => done.open), Effect.raceFirst(there, limit)]
}

/**
 * Waits at most as long as QEMU may delay us.
 *
 * @internal
 */
export const within =
  (peer: string, expected: string, timeout: Duration.Input = PeerLimits.defaults.idleTimeout) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | PeerTimeoutError, R> => {
    const duration = Duration.fromInputUnsafe(timeout)
    if (!Duration.isFinite(duration)) return self
    const orElse = () =>
      Effect.fail(new PeerTimeoutError({ peer, expected, milliseconds: Duration.toMillis(duration) }))
    return Effect.timeoutOrElse(self, { duration, orElse })
  }
