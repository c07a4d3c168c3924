/**
 * One clock for all connections of a migration: it runs while the peer is waited for, and is set back by whatever the peer
 * gets done on any of them.
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
import { PeerTimeoutError } from "../io/sockets/ConnectionError.ts"

/**
 * Notices a peer that does nothing any more.
 *
 * @category models
 * @since 0.1.0
 */
export interface Watchdog {
  /**
   * Says that the peer has got something done: a whole packet, a page, a piece of device state. Not every byte should
   * count, or a peer that sends one now and then would keep the migration for ever.
   */
  readonly alive: () => void
  /** Runs something of our own that the peer is not to blame for, such as a write to the disk. */
  readonly working: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Runs `self` until it ends, or until the peer has done nothing for the whole time: then with `PeerTimeoutError`. */
  readonly during: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | PeerTimeoutError, R>
}

/**
 * What is waited for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The address of the other side. */
  readonly peer: string
  /** How long the peer may do nothing. */
  readonly idleTimeout: Duration.Duration
  /** What is due, for the error. */
  readonly expected: string
  /** The least that the peer has to get done on average, however regularly it does. Default: there is none. */
  readonly least?: Least | undefined
}

/**
 * A rate that the peer has to keep.
 *
 * @category models
 * @since 0.1.0
 */
export interface Least {
  /** 0: any rate will do. */
  readonly bytesPerSecond: number
  /** Bytes of the peer so far. */
  readonly bytes: () => number
}

/** So many times the longest silence, so that a burst behind each of them makes up for it. */
const WINDOW = 10

/**
 * Makes a watchdog, whose time begins with `during`.
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
      /** How long the peer had done nothing when we became busy. */
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
      const idleMillis = () => Number(busy > 0 ? idleBefore : clock.monotonicTimeNanosUnsafe() - since) / 1e6

      const watch: Effect.Effect<never, PeerTimeoutError> = Effect.suspend(() => {
        const left = Math.ceil(milliseconds - idleMillis())
        return left > 0
          ? Effect.andThen(Effect.sleep(left), watch)
          : Effect.fail(new PeerTimeoutError({ peer, expected, milliseconds }))
      })
      /** How long the peer has been waited for, all in all. */
      const waitedMillis = () => {
        const until = busy > 0 ? busySince : clock.monotonicTimeNanosUnsafe()
        return Number(until - started - busyBefore) / 1e6
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
