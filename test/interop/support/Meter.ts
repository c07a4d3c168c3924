/**
 * How fast this side reads and writes, seen from its sockets, and how long it could not have been faster: while it waited for
 * the other side with all of its connections, and while the machine had no time for it.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Network from "../../../src/io/Network.ts"

/** What a limit makes up for: whoever is later than that is too late. */
const LATENESS = 100

const HEARTBEAT = 10

/** One moment. */
export interface Reading {
  readonly time: number
  readonly bytes: number
  /** Milliseconds in which nothing could be moved, from the first byte on. */
  readonly idle: number
}

export interface Meter {
  readonly network: Network.Calls
  readonly read: () => Reading
  /** At the first byte. */
  readonly first: () => Reading
}

/** Bytes a second while there was work. */
export const rate = (from: Reading, to: Reading): number =>
  ((to.bytes - from.bytes) * 1000) / (to.time - from.time - (to.idle - from.idle))

/** A meter of all connections that come in, or go out, over real sockets. */
export const make: Effect.Effect<Meter, never, Scope.Scope> = Effect.gen(function* () {
  const real = yield* Network.Network
  let open = 0
  let waiting = 0
  let bytes = 0
  let idle = 0
  let waitingSince: number | undefined
  let first: Reading | undefined

  const idleAt = (now: number): number => idle + (waitingSince === undefined ? 0 : now - waitingSince)
  const read = (): Reading => {
    const time = performance.now()
    return { time, bytes, idle: idleAt(time) }
  }
  const change = (opened: number, waits: number): void => {
    const now = performance.now()
    idle = idleAt(now)
    open += opened
    waiting += waits
    waitingSince = open > 0 && waiting === open ? now : undefined
  }
  const count = (moved: number): void => {
    bytes += moved
    first ??= read()
  }
  let beat = performance.now()
  const heart = setInterval(() => {
    const now = performance.now()
    if (waitingSince === undefined) idle += Math.max(0, now - beat - LATENESS)
    beat = now
  }, HEARTBEAT)
  yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(heart)))

  const watched = (transport: Network.Transport): Network.Transport => {
    let isOpen = true
    const close = () => {
      if (isOpen) change(-1, 0)
      isOpen = false
    }
    change(1, 0)
    return {
      peer: transport.peer,
      cancelRead: () => transport.cancelRead(),
      end: (done) => transport.end(done),
      read: (target, done) => {
        if (isOpen) change(0, 1)
        transport.read(target, (error, length) => {
          if (isOpen) change(0, -1)
          if (error !== null || length === 0) close()
          count(length)
          done(error, length)
        })
      },
      write: (parts, done) => {
        count(parts.reduce((sum, part) => sum + part.length, 0))
        transport.write(parts, done)
      },
      destroy: () => {
        close()
        transport.destroy()
      }
    }
  }
  const network: Network.Calls = {
    connect: (address, options, done) => real.connect(address, options, (answer) => done(Result.map(answer, watched))),
    listen: (address, options, done) => {
      const onConnection = (incoming: Network.Incoming) =>
        options.onConnection({
          peer: incoming.peer,
          destroy: () => incoming.destroy(),
          open: (done) => incoming.open((answer) => done(Result.map(answer, watched)))
        })
      return real.listen(address, { ...options, onConnection }, done)
    }
  }
  return { network, read, first: () => first ?? read() }
})
