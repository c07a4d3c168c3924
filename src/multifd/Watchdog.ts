/**
 * One idle timer shared by all connections of a migration. It runs only while we wait for the peer; progress on any
 * connection resets it.
 *
 * ```text
 *   peer       page ─────── page ───────────────── nothing ─────────────▶
 *   our disk        ██████       ██
 *   clock      0─▶      0─▶0  ─────────────▶ … ──▶ idleTimeout: PeerTimeoutError
 *                   stands while something of our own is under way
 * ```
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { millisOf } from "../transfer/MonotonicTime.ts"
import { PeerTimeoutError } from "../io/sockets/ConnectionError.ts"

/**
 * Detects a peer that makes no progress.
 *
 * @category models
 * @since 0.1.0
 */
export interface Watchdog {
  /**
   * Reports progress of the peer: a complete packet, a page, a piece of device state. Single bytes must not count, or a
   * peer that sends an occasional one could keep the migration open forever.
   */
  readonly alive: () => void
  /** Runs work of our own during which the timer is stopped, such as a write to the disk. */
  readonly working: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Runs `self` until it ends, or until the peer has done nothing for the whole time: then with `PeerTimeoutError`. */
  readonly during: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | PeerTimeoutError, R>
}

/**
 * Options of a watchdog.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The address of the other side. */
  readonly peer: string
  /** Longest time without progress. */
  readonly idleTimeout: Duration.Duration
  /** The expected progress, for the error. */
  readonly expected: string
  /** The lowest average rate of the peer, however regular its progress. Default: none. */
  readonly least?: Least | undefined
}

/**
 * A minimum rate of the peer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Least {
  /** 0: any rate. */
  readonly bytesPerSecond: number
  /** Bytes from the peer so far. */
  readonly bytes: () => number
}

/** A multiple of the longest silence, so that a burst after each of them makes up for it. */
const WINDOW = 10

/**
 * Makes a watchdog; its time begins with `during`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = ({ expected, idleTimeout, least, peer }: Options): Effect.Effect<Watchdog> =>
  Clock.clockWith((clock) =>
    Effect.sync(() => {
      const milliseconds = Duration.toMillis(idleTimeout)
      let since = 0n
      let busy = 0
      /** The peer's idle time when we became busy. */
      let idleBefore = 0n
      let started = 0n
      let busySince = 0n
      let busyBefore = 0n

      const alive = () => {
        since = clock.monotonicTimeNanosUnsafe()
        idleBefore = 0n
      }
      const begin = () => {
        if (busy++ > 0) return
        busySince = clock.monotonicTimeNanosUnsafe()
        idleBefore = busySince - since
      }
      const end = Effect.sync(() => {
        if (--busy > 0) return
        const now = clock.monotonicTimeNanosUnsafe()
        busyBefore += now - busySince
        since = now - idleBefore
      })
      const idleMillis = () => millisOf(busy > 0 ? idleBefore : clock.monotonicTimeNanosUnsafe() - since)

      const watch: Effect.Effect<never, PeerTimeoutError> = Effect.suspend(() => {
        const left = Math.ceil(milliseconds - idleMillis())
        return left > 0
          ? Effect.andThen(Effect.sleep(left), watch)
          : Effect.fail(new PeerTimeoutError({ peer, expected, milliseconds }))
      })
      /** The total time spent waiting for the peer. */
      const waitedMillis = () => {
        const until = busy > 0 ? busySince : clock.monotonicTimeNanosUnsafe()
        return millisOf(until - started - busyBefore)
      }
      const watchRate = ({ bytes, bytesPerSecond }: Least): Effect.Effect<never, PeerTimeoutError> => {
        const window = WINDOW * milliseconds
        const due = Math.ceil((bytesPerSecond * window) / 1000)
        const from = (millis: number, count: number): Effect.Effect<never, PeerTimeoutError> =>
          Effect.suspend(() => {
            const left = Math.ceil(window - (waitedMillis() - millis))
            if (left > 0) return Effect.andThen(Effect.sleep(left), from(millis, count))
            if (bytes() - count >= due) return from(waitedMillis(), bytes())
            const expected = `${due} bytes (${bytesPerSecond} a second)`
            return Effect.fail(new PeerTimeoutError({ peer, expected, milliseconds: window }))
          })
        return Effect.suspend(() => from(waitedMillis(), bytes()))
      }
      const watches = [watch, ...(least === undefined || least.bytesPerSecond === 0 ? [] : [watchRate(least)])]
      return {
        alive,
        working: (self) =>
          Effect.suspend(() => {
            begin()
            return Effect.ensuring(self, end)
          }),
        during: (self) =>
          Effect.suspend(() => {
            alive()
            started = since
            return milliseconds === Infinity ? self : Effect.raceFirst(self, Effect.raceAllFirst(watches))
          })
      }
    })
  )
