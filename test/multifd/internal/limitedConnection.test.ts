import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as Connection from "../../../src/io/sockets/Connection.ts"
import * as Listener from "../../../src/io/sockets/Listener.ts"
import * as SocketAddress from "../../../src/io/sockets/SocketAddress.ts"
import { limitedConnection } from "../../../src/multifd/internal/limitedConnection.ts"
import * as RateLimit from "../../../src/transfer/RateLimit.ts"
import * as Watchdog from "../../../src/multifd/Watchdog.ts"
import * as VirtualNetwork from "../../../src/testing/VirtualNetwork.ts"

const address = SocketAddress.tcp("10.0.0.1", 4444)
const LIMIT = 100_000
const BYTES = 300_000

const drivingClock = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.raceFirst(self, Effect.forever(TestClock.adjust("10 millis")))

/** Each takes so many bytes off a connection, all of them in the end. */
const readers: Readonly<Record<string, (connection: Connection.Connection) => Effect.Effect<number, unknown>>> = {
  read: (connection) => {
    const targets = [new Uint8Array(BYTES / 3), new Uint8Array(BYTES / 3 - 10)]
    return Effect.as(connection.read(targets), (2 * BYTES) / 3 - 10)
  },
  readSome: (connection) => connection.readSome(new Uint8Array(65_536)),
  readOrEnd: (connection) => Effect.as(connection.readOrEnd(new Uint8Array(1000)), 1000)
}

const connect = Effect.fnUntraced(function* (limit: RateLimit.RateLimit) {
  const listener = yield* Listener.make({ address })
  const pairs = yield* Effect.forEach([0, 1], () => Effect.all([Connection.connect({ address }), listener.accept]))
  for (const [sender] of pairs) yield* Effect.forkScoped(sender.write([new Uint8Array(2 * BYTES)]))
  const watchdog = yield* Watchdog.make({
    peer: "tcp:10.0.0.1:4444",
    expected: "a sign",
    idleTimeout: Duration.seconds(1)
  })
  return pairs.map(([, receiver]) => limitedConnection(receiver, limit, watchdog))
})

describe("limitedConnection", () => {
  for (const [name, read] of Object.entries(readers)) {
    it.effect(`${name}: all connections together keep to the limit`, () =>
      Effect.gen(function* () {
        const network = yield* VirtualNetwork.make()
        const program = Effect.gen(function* () {
          const connections = yield* connect(yield* RateLimit.make(LIMIT))
          const begin = yield* Clock.currentTimeMillis
          let total = 0
          const some = (connection: Connection.Connection) =>
            Effect.map(read(connection), (bytes) => void (total += bytes)).pipe(
              Effect.repeat({ while: () => total < BYTES })
            )
          yield* Effect.forEach(connections, some, { concurrency: "unbounded", discard: true })
          const seconds = ((yield* Clock.currentTimeMillis) - begin) / 1000
          // In front of the first piece, the limit has nothing to give.
          assert.isAtMost(total / seconds, 1.03 * LIMIT)
          assert.isAtLeast(total / seconds, 0.9 * LIMIT)
        })
        yield* Effect.scoped(drivingClock(program)).pipe(Effect.provide(network.layer))
      })
    )
  }

  it.effect("without a limit nothing waits, and a limit can be lifted", () =>
    Effect.gen(function* () {
      const network = yield* VirtualNetwork.make()
      const program = Effect.gen(function* () {
        const limit = yield* RateLimit.make(1)
        const [connection] = yield* connect(limit)
        const reading = yield* Effect.forkChild(connection!.read([new Uint8Array(BYTES)]), { startImmediately: true })
        yield* limit.set(0)
        yield* Fiber.join(reading)
        assert.strictEqual(connection!.bytesRead, BYTES)
        assert.strictEqual(connection!.bytesWritten, 0)
      })
      yield* Effect.scoped(drivingClock(program)).pipe(Effect.provide(network.layer))
    })
  )
})
