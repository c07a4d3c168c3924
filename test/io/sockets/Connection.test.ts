import { assert, describe, it, vi } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import Dns from "node:dns"
import * as Net from "node:net"
import * as Connection from "../../../src/io/sockets/Connection.ts"
import * as Listener from "../../../src/io/sockets/Listener.ts"
import * as SocketAddress from "../../../src/io/sockets/SocketAddress.ts"
import * as TlsCredentials from "../../../src/io/sockets/TlsCredentials.ts"
import * as VirtualNetwork from "../../../src/testing/VirtualNetwork.ts"
import {
  anyPort,
  bytes,
  connected,
  onEveryNetwork,
  onVirtualNetwork,
  readToEnd,
  turn,
  unixPath
} from "../../support/worlds/networks.ts"

const { Cut, Ignore, Refuse, Reset, Short } = VirtualNetwork.Fault

const address = SocketAddress.tcp("10.0.0.1", 4444)

/** Cuts into pieces of the given lengths, the last of which takes what is left. */
const cut = (whole: Uint8Array, lengths: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  let start = 0
  const pieces = lengths.map((length) => whole.subarray(start, (start += length)))
  return [...pieces, whole.subarray(start)]
}

describe("Connection", () => {
  onEveryNetwork("moves bytes both ways, whatever the pieces", (address) =>
    Effect.gen(function* () {
      const { far, near } = yield* connected(address)
      const there = bytes(1_000_000, 1)
      const back = bytes(700_001, 2)
      const gotThere = new Uint8Array(there.length)
      const gotBack = new Uint8Array(back.length)
      yield* Effect.all(
        [
          near.write(cut(there, [0, 1344, 524_288, 7])),
          far.read(cut(gotThere, [1, 0, 4000, 96, 4097, 65_536])),
          far.write([back]),
          near.read([gotBack])
        ],
        { concurrency: "unbounded", discard: true }
      )
      assert.deepStrictEqual(gotThere, there)
      assert.deepStrictEqual(gotBack, back)
      assert.deepStrictEqual([near.bytesWritten, near.bytesRead], [there.length, back.length])
      assert.deepStrictEqual([far.bytesWritten, far.bytesRead], [back.length, there.length])
    })
  )

  onEveryNetwork("a side that ended can still be written to by the one that connected", (address) =>
    Effect.gen(function* () {
      const { far, near } = yield* connected(address)
      yield* far.end
      assert.strictEqual(yield* near.readSome(new Uint8Array(1)), 0)
      for (let i = 0; i < 5; i++) yield* turn
      yield* near.write([bytes(7)])
      yield* near.end
      assert.deepStrictEqual(new Uint8Array(yield* readToEnd(far)), bytes(7))
    })
  )

  onEveryNetwork("a side that ended can still be written to", (address) =>
    Effect.gen(function* () {
      const { far, near } = yield* connected(address)
      yield* near.write([bytes(10)])
      yield* near.end
      yield* near.end
      assert.deepStrictEqual(new Uint8Array(yield* readToEnd(far)), bytes(10))
      yield* far.write([bytes(5)])
      yield* far.end
      assert.deepStrictEqual(new Uint8Array(yield* readToEnd(near)), bytes(5))
      assert.strictEqual(yield* near.readSome(new Uint8Array(1)), 0)
      const error = yield* Effect.flip(near.write([bytes(1)]))
      assert.deepInclude(error, { _tag: "ConnectionLostError", operation: "write", code: "EPIPE" })
    })
  )

  onEveryNetwork("says where the peer ended", (address) =>
    Effect.gen(function* () {
      const { far, near } = yield* connected(address)
      yield* near.write([bytes(9)])
      yield* near.end
      assert.isTrue(yield* far.readOrEnd(new Uint8Array(4)))
      const error = yield* Effect.flip(far.read([new Uint8Array(3), new Uint8Array(4)]))
      assert.deepInclude(error, { _tag: "ConnectionEndedError", expected: 7, found: 5, peer: far.peer })
      assert.strictEqual(error[Runtime.errorExitCode], 6)
      assert.include(error.message, `${far.peer}: expected 7 more bytes`)
      assert.isFalse(yield* far.readOrEnd(new Uint8Array(4)))
    })
  )

  onEveryNetwork("says where the peer ended inside of what it was read for", (address) =>
    Effect.gen(function* () {
      const { far: other, near: writer } = yield* connected(address)
      yield* writer.write([bytes(3)])
      yield* writer.end
      assert.deepInclude(yield* Effect.flip(other.readOrEnd(new Uint8Array(4))), { expected: 4, found: 3 })
    })
  )

  onEveryNetwork("nothing to read or write takes nothing", (address) =>
    Effect.gen(function* () {
      const { far, near } = yield* connected(address)
      yield* near.write([])
      yield* near.write([new Uint8Array(0)])
      yield* far.read([])
      yield* far.read([new Uint8Array(0)])
      assert.isTrue(yield* far.readOrEnd(new Uint8Array(0)))
      assert.deepStrictEqual([near.bytesWritten, far.bytesRead], [0, 0])
    })
  )

  onEveryNetwork("a reader that does not go on reading holds the writer up", (address) =>
    Effect.gen(function* () {
      const { far, near } = yield* connected(address)
      const block = bytes(1 << 20)
      let written = 0
      const writer = yield* Effect.forkChild(
        Effect.forever(
          Effect.andThen(
            near.write([block]),
            Effect.sync(() => void written++)
          )
        )
      )
      const target = new Uint8Array(1 << 20)
      yield* far.read([target])
      // What the kernels hold of a connection is a few MiB.
      for (let before = -1, quiet = 0; quiet < 100 && written < 64; quiet++) {
        if (before !== written) quiet = 0
        before = written
        yield* turn
      }
      assert.isBelow(written, 64)
      const held = written
      while (written < held + 40) {
        yield* far.read([target])
        assert.strictEqual(Buffer.compare(target, block), 0)
      }
      yield* Fiber.interrupt(writer)
    })
  )

  onEveryNetwork("an interrupted read takes no byte any more", (address) =>
    Effect.gen(function* () {
      const { far, near } = yield* connected(address)
      const target = new Uint8Array(100_000)
      const reader = yield* Effect.forkChild(far.read([target]))
      yield* near.write([new Uint8Array(50_000).fill(1)])
      while (target[49_999] === 0) yield* turn
      yield* Fiber.interrupt(reader)
      yield* near.write([new Uint8Array(20_000).fill(2)])
      const error = yield* Effect.flip(far.read([new Uint8Array(1)]))
      assert.deepInclude(error, { _tag: "ConnectionLostError", operation: "read", code: "ECANCELED" })
      // Writing does not care.
      yield* far.write([bytes(3)])
      yield* far.end
      assert.deepStrictEqual(new Uint8Array(yield* readToEnd(near)), bytes(3))
      for (let i = 0; i < 10; i++) yield* turn
      assert.isTrue(target.subarray(50_000).every((byte) => byte === 0))
    })
  )

  onEveryNetwork("an interrupted write closes the connection", (address) =>
    Effect.gen(function* () {
      const { far, near } = yield* connected(address)
      const writer = yield* Effect.forkChild(near.write([new Uint8Array(64 << 20)]))
      yield* far.read([new Uint8Array(10)])
      yield* Fiber.interrupt(writer)
      assert.deepInclude(yield* Effect.flip(near.write([bytes(1)])), { operation: "write", code: "ECANCELED" })
      assert.isBelow((yield* readToEnd(far, 1 << 20)).length, 64 << 20)
    })
  )

  onEveryNetwork("leaving the scope ends the peer's reading, and fails what goes on on this side", (address) =>
    Effect.gen(function* () {
      const listener = yield* Listener.make({ address })
      const { near, reader } = yield* Effect.gen(function* () {
        const near = yield* Connection.connect({ address: listener.address })
        yield* near.write([bytes(1000)])
        return { near, reader: yield* Effect.forkDetach(Effect.flip(near.read([new Uint8Array(1)]))) }
      }).pipe(Effect.scoped)
      assert.strictEqual((yield* readToEnd(yield* listener.accept)).length, 1000)
      assert.deepInclude(yield* Fiber.join(reader), {
        _tag: "ConnectionLostError",
        operation: "read",
        code: "ECANCELED"
      })
      assert.deepInclude(yield* Effect.flip(near.readSome(new Uint8Array(1))), { code: "ECANCELED" })
      assert.deepInclude(yield* Effect.flip(near.write([bytes(1)])), { operation: "write", code: "ECANCELED" })
    })
  )

  onEveryNetwork("two calls of a kind at the same time are a defect", (address) =>
    Effect.gen(function* () {
      const { near } = yield* connected(address)
      const reader = yield* Effect.forkChild(near.read([new Uint8Array(1)]))
      yield* Effect.yieldNow
      const exit = yield* Effect.exit(near.readSome(new Uint8Array(1)))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      yield* Fiber.interrupt(reader)
    })
  )

  it.effect("a second read or write while one is under way dies, and does not disturb the first", () =>
    Effect.gen(function* () {
      const { far, near } = yield* connected(yield* unixPath)
      const there = bytes(1_500_000, 1)
      const dies = <E>(call: Effect.Effect<unknown, E>, operation: string) =>
        Effect.map(Effect.exit(call), (exit) => {
          assert(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
          assert.include(String(Cause.squash(exit.cause)), `${operation}: another call is under way`)
        })
      const writing = yield* Effect.forkChild(near.write([there]), { startImmediately: true })
      yield* dies(near.write([new Uint8Array(1)]), "write")
      yield* dies(near.end, "end")
      const got = new Uint8Array(there.length)
      const reading = yield* Effect.forkChild(far.read([got]), { startImmediately: true })
      yield* dies(far.read([new Uint8Array(1)]), "read")
      yield* dies(far.readSome(new Uint8Array(1)), "read")
      yield* Fiber.join(writing)
      yield* Fiber.join(reading)
      assert.isTrue(Buffer.compare(got, there) === 0)
      yield* near.end
      assert.isFalse(yield* far.readOrEnd(new Uint8Array(1)))
    })
  )

  it.effect.each(["TCP", "Unix"])("nobody there: ConnectError (%s)", (kind) =>
    Effect.gen(function* () {
      const nowhere = kind === "TCP" ? SocketAddress.tcp("127.0.0.1", 1) : yield* unixPath
      const error = yield* Effect.flip(Effect.scoped(Connection.connect({ address: nowhere })))
      assert.deepInclude(error, {
        _tag: "ConnectError",
        address: SocketAddress.format(nowhere),
        code: kind === "TCP" ? "ECONNREFUSED" : "ENOENT"
      })
      assert.strictEqual(error[Runtime.errorExitCode], 6)
      assert.include(error.message, "cannot connect")
    })
  )

  it.effect.each([
    SocketAddress.unix("a\0b"),
    SocketAddress.tcp("127.0.0.1", 70_000),
    SocketAddress.unix("x".repeat(200))
  ])("what no socket can be at is a ConnectError: %j", (nowhere) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(Connection.connect({ address: nowhere })))
      assert.strictEqual(error._tag, "ConnectError")
    })
  )

  it.effect("refused in memory: ConnectError", () =>
    onVirtualNetwork(
      { plan: [{ fault: Refuse() }] },
      Effect.gen(function* () {
        const error = yield* Effect.flip(connected(address))
        assert.deepInclude(error, { _tag: "ConnectError", code: "ECONNREFUSED" })
      })
    )
  )

  it.effect("no answer to the attempt to connect: PeerTimeoutError", () =>
    onVirtualNetwork(
      { plan: [{ fault: Ignore() }] },
      Effect.gen(function* () {
        const attempt = yield* Effect.forkChild(
          Effect.flip(Effect.scoped(Connection.connect({ address, connectTimeout: "3 seconds" })))
        )
        yield* TestClock.adjust("2999 millis")
        assert.isUndefined(attempt.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        const error = yield* Fiber.join(attempt)
        assert.deepInclude(error, { _tag: "PeerTimeoutError", peer: "tcp:10.0.0.1:4444", milliseconds: 3000 })
        assert.strictEqual(error[Runtime.errorExitCode], 9)
        assert.include(error.message, "timed out after 3 s waiting for an answer to the attempt to connect")
      })
    )
  )

  it.effect("a connection that is reset: ConnectionLostError", () =>
    Effect.gen(function* () {
      const sockets: Array<Net.Socket> = []
      const server = Net.createServer((socket) => void sockets.push(socket))
      yield* Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void)))
      yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
      const real = server.address()
      assert(typeof real === "object" && real !== null)
      const connection = yield* Connection.connect({ address: SocketAddress.tcp("127.0.0.1", real.port) })
      const reader = yield* Effect.forkChild(Effect.flip(connection.read([new Uint8Array(1)])))
      while (sockets.length === 0) yield* turn
      sockets[0]!.resetAndDestroy()
      const error = yield* Fiber.join(reader)
      assert.deepInclude(error, { _tag: "ConnectionLostError", operation: "read", code: "ECONNRESET" })
      assert.strictEqual(error[Runtime.errorExitCode], 6)
      assert.include(error.message, "connection lost (read: ECONNRESET)")
      const again = yield* Effect.flip(connection.read([new Uint8Array(1)]))
      assert.deepInclude(again, { code: "ECONNRESET" })
      assert.strictEqual((yield* Effect.flip(connection.write([bytes(1)])))._tag, "ConnectionLostError")
      assert.strictEqual((yield* Effect.flip(connection.end))._tag, "ConnectionLostError")
    })
  )

  it.effect.prop(
    "a fault at any byte is seen by both sides",
    {
      at: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4000 })),
      seed: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 })),
      short: Schema.Literals([1, 7, 5000]),
      reset: Schema.Boolean
    },
    ({ at, reset, seed, short }) => {
      const plan = [{ at, fault: reset ? Reset() : Cut() }, { fault: Short({ bytes: short }) }]
      return onVirtualNetwork(
        { seed, plan, capacity: 1024 },
        Effect.gen(function* () {
          const { far, near } = yield* connected(address)
          const [written, read] = yield* Effect.all(
            [Effect.flip(near.write([bytes(6000)])), Effect.flip(far.read([new Uint8Array(6000)]))],
            { concurrency: 2 }
          )
          assert.strictEqual(written.code, reset ? "ECONNRESET" : "EPIPE")
          assert.strictEqual(read._tag, reset ? "ConnectionLostError" : "ConnectionEndedError")
          assert.strictEqual(far.bytesRead, at)
          if (read._tag === "ConnectionEndedError") assert.strictEqual(read.found, at)
        })
      )
    },
    { arbitrary: { runs: 60 } }
  )

  it.effect("a host of several addresses none of which answers: ConnectError, with TLS too", () =>
    Effect.gen(function* () {
      const lookup = (
        _host: string,
        _options: unknown,
        done: (error: null, addresses: ReadonlyArray<object>) => void
      ) =>
        done(null, [
          { address: "127.0.0.1", family: 4 },
          { address: "::1", family: 6 }
        ])
      yield* Effect.acquireRelease(
        Effect.sync(() => vi.spyOn(Dns, "lookup").mockImplementation(lookup as never)),
        (spy) => Effect.sync(() => spy.mockRestore())
      )
      const directory = new URL("../../fixtures/tls/x509", import.meta.url).pathname
      const tls = yield* TlsCredentials.clientFromDirectory(directory)
      for (const credentials of [undefined, tls]) {
        const options = { address: SocketAddress.tcp("two.addresses", 1), tls: credentials }
        const error = yield* Effect.flip(Effect.scoped(Connection.connect(options)))
        assert.deepInclude(error, { _tag: "ConnectError", code: "ECONNREFUSED" })
      }
    })
  )

  it.effect("nodelay and keepalive do not disturb", () =>
    Effect.gen(function* () {
      const { far, near } = yield* connected(anyPort, { client: { keepAlive: 0 }, server: { keepAlive: "1 minute" } })
      yield* near.write([bytes(1)])
      yield* far.read([new Uint8Array(1)])
    })
  )
})
