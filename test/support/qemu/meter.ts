/**
 * How fast this side reads and writes, seen from its sockets, and how long it was the limit that held it up: not the other
 * side, nor a machine that had no time for it.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Network from "../../../src/io/sockets/Network.ts"
import * as RateLimit from "../../../src/transfer/RateLimit.ts"

/** What a limit makes up for: whoever is later than that is too late. */
const LATENESS = 100

const HEARTBEAT = 10

/** One moment. */
export interface Reading {
  readonly time: number
  readonly bytes: number
  /** Milliseconds in which somebody waited for the limit. */
  readonly held: number
}

export interface Meter {
  /** For the program that is measured. */
  readonly network: Network.Calls
  /** For the program that is measured, as its limit. */
  readonly limit: RateLimit.RateLimit
  readonly read: () => Reading
  /** At the first byte. */
  readonly first: () => Reading
}

/** A meter of all connections that come in, or go out, over real sockets. */
export const make = Effect.fnUntraced(function* (bytesPerSecond: number): Effect.fn.Return<Meter, never, Scope.Scope> {
  const real = yield* Network.Network
  const inner = yield* RateLimit.make(bytesPerSecond)
  let bytes = 0
  let waiting = 0
  let held = 0
  let since = performance.now()
  let beat = since
  let first: Reading | undefined

  const read = (): Reading => {
    const time = performance.now()
    if (waiting > 0) held += time - since
    since = time
    return { time, bytes, held }
  }
  const wait = (more: number) =>
    Effect.sync(() => {
      read()
      waiting += more
    })
  const count = (moved: number): void => {
    bytes += moved
    first ??= read()
  }
  const heart = setInterval(() => {
    const now = performance.now()
    if (waiting > 0) held -= Math.max(0, now - beat - LATENESS)
    beat = now
  }, HEARTBEAT)
  yield* Effect.addFinalizer(() => Effect.sync(() => clearInterval(heart)))

  const watched = (transport: Network.Transport): Network.Transport => ({
    peer: transport.peer,
    cancelRead: () => transport.cancelRead(),
    end: (done) => transport.end(done),
    destroy: () => transport.destroy(),
    read: (target, done) =>
      transport.read(target, (error, length) => {
        count(length)
        done(error, length)
      }),
    write: (parts, done) => {
      count(parts.reduce((sum, part) => sum + part.length, 0))
      transport.write(parts, done)
    }
  })
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
  const take = (bytes: number) =>
    Effect.acquireUseRelease(
      wait(1),
      () => inner.take(bytes),
      () => wait(-1)
    )
  return { network, limit: { ...inner, take }, read, first: () => first ?? read() }
})
