import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"
import * as Connection from "../../../src/io/sockets/Connection.ts"
import * as Listener from "../../../src/io/sockets/Listener.ts"
import { type Calls, type ErrnoError, type ListenOptions, Network } from "../../../src/io/sockets/Network.ts"
import * as SocketAddress from "../../../src/io/sockets/SocketAddress.ts"
import * as Simulation from "../../../src/testing/Simulation.ts"
import * as VirtualNetwork from "../../../src/testing/VirtualNetwork.ts"
import {
  anyPort,
  bytes,
  connected,
  directory,
  onEveryNetwork,
  readToEnd,
  turn,
  unixPath
} from "../../support/worlds/networks.ts"

/** Takes the bytes that a connection was sent. */
const oneByte = Effect.fnUntraced(function* (connection: Connection.Connection) {
  const target = new Uint8Array(1)
  yield* connection.read([target])
  return target[0]
})

const isListening = (address: SocketAddress.SocketAddress) =>
  Connection.connect({ address }).pipe(
    Effect.scoped,
    Effect.as(true),
    Effect.catchTag("ConnectError", () => Effect.succeed(false))
  )

describe("Listener", () => {
  onEveryNetwork("accepts every connection once", (address) =>
    Effect.gen(function* () {
      const listener = yield* Listener.make({ address })
      for (const byte of [1, 2, 3]) {
        const connection = yield* Connection.connect({ address: listener.address })
        yield* connection.write([Uint8Array.of(byte)])
      }
      const order = yield* Effect.forEach([1, 2, 3], () => Effect.flatMap(listener.accept, oneByte))
      assert.deepStrictEqual(order.toSorted(), [1, 2, 3])
    })
  )

  it.live("a Unix socket is for those whom the umask lets, or for everybody who can reach it", () =>
    Effect.gen(function* () {
      const path = Path.join(yield* directory, "socket")
      const modes = yield* Effect.forEach([undefined, false, true], (everyUser) =>
        Effect.scoped(
          Effect.map(
            Listener.make({ address: SocketAddress.unix(path, { everyUser }) }),
            () => Fs.statSync(path).mode & 0o222
          )
        )
      )
      const umasked = 0o222 & ~process.umask()
      assert.deepStrictEqual(modes, [umasked, umasked, 0o222])
    })
  )

  onEveryNetwork("an accepted connection outlives the listener", (address) =>
    Effect.gen(function* () {
      const { far, listener, near } = yield* connected(address)
      yield* listener.close
      yield* near.write([bytes(50_000)])
      yield* near.end
      assert.deepStrictEqual(new Uint8Array(yield* readToEnd(far)), bytes(50_000))
    })
  )

  onEveryNetwork("nothing is accepted any more once it is closed, and what waited is closed", (address) =>
    Effect.gen(function* () {
      const listener = yield* Listener.make({ address })
      const waiting = yield* Connection.connect({ address: listener.address })
      while (Result.isFailure(yield* Effect.result(waiting.write([bytes(1)])))) yield* turn
      const accepting = yield* Effect.forkChild(
        Effect.flip(Effect.scoped(Effect.andThen(listener.accept, listener.accept)))
      )
      yield* turn
      yield* listener.close
      yield* listener.close
      const error = yield* Fiber.join(accepting)
      assert.deepInclude(error, { _tag: "ListenError", operation: "accept", code: "ECANCELED" })
      assert.include(error.message, "cannot accept (ECANCELED)")
      assert.strictEqual((yield* Effect.flip(Effect.scoped(listener.accept)))._tag, "ListenError")
      yield* Effect.exit(readToEnd(waiting))
      assert.isFalse(yield* isListening(listener.address))
    })
  )

  const waysOut: ReadonlyArray<readonly [name: string, last: Effect.Effect<void, string>]> = [
    ["success", Effect.void],
    ["failure", Effect.fail("x")],
    ["a defect", Effect.die("x")],
    ["interruption", Effect.interrupt]
  ]
  for (const [name, last] of waysOut) {
    onEveryNetwork(`leaving the scope by ${name} frees the address at once, with connections open`, (address) =>
      Effect.gen(function* () {
        const first = yield* Scope.make()
        const { listener } = yield* connected(address).pipe(
          Effect.tap(({ far, near }) => Effect.andThen(near.write([bytes(10)]), oneByte(far))),
          Scope.provide(first)
        )
        yield* Scope.close(first, yield* Effect.exit(last))
        const again = yield* Listener.make({ address: listener.address })
        assert.deepStrictEqual(again.address, listener.address)
        yield* Connection.connect({ address: listener.address })
        yield* again.accept
      })
    )
  }

  onEveryNetwork("more connections than allowed are closed, until one of them is released", (address) =>
    Effect.gen(function* () {
      const listener = yield* Listener.make({ address, maxConnections: 2 })
      const connect = Connection.connect({ address: listener.address })
      const first = yield* Scope.make()
      yield* connect
      yield* Scope.provide(listener.accept, first)
      yield* connect
      yield* listener.accept
      const third = yield* connect
      assert.isFalse(yield* Effect.orElseSucceed(third.readOrEnd(new Uint8Array(1)), () => false))
      yield* Scope.close(first, Exit.void)
      const fourth = yield* connect
      yield* fourth.write([Uint8Array.of(4)])
      assert.strictEqual(yield* Effect.flatMap(listener.accept, oneByte), 4)
    })
  )

  onEveryNetwork("whoever waits in vain may give up", (address) =>
    Effect.gen(function* () {
      const listener = yield* Listener.make({ address })
      const accepting = yield* Effect.forkChild(Effect.scoped(listener.accept))
      yield* turn
      yield* Fiber.interrupt(accepting)
      yield* Connection.connect({ address: listener.address })
      yield* listener.accept
    })
  )

  it.effect("a port that is in use: ListenError", () =>
    Effect.gen(function* () {
      const listener = yield* Listener.make({ address: anyPort })
      const error = yield* Effect.flip(Effect.scoped(Listener.make({ address: listener.address })))
      assert.deepInclude(error, {
        _tag: "ListenError",
        operation: "listen",
        code: "EADDRINUSE",
        address: SocketAddress.format(listener.address)
      })
      assert.strictEqual(error[Runtime.errorExitCode], 6)
      assert.include(error.message, "cannot listen (EADDRINUSE)")
    })
  )

  it.effect.each([
    SocketAddress.tcp("192.0.2.1", 0),
    SocketAddress.tcp("127.0.0.1", 70_000),
    SocketAddress.unix("/no/such/directory/socket"),
    SocketAddress.unix("x".repeat(200)),
    SocketAddress.unix("a\0b")
  ])("where nobody can listen: ListenError, %j", (address) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(Listener.make({ address })))
      assert.strictEqual(error._tag, "ListenError")
    })
  )

  it.effect("IPv6, and every address of the machine", () =>
    Effect.gen(function* () {
      const { far, near, listener } = yield* connected(SocketAddress.tcp("::1", 0))
      assert.strictEqual(near.peer, SocketAddress.format(listener.address))
      assert.match(far.peer, /^tcp:\[::1\]:\d+$/)
      const everywhere = yield* Listener.make({ address: SocketAddress.tcp("::", 0) })
      assert(everywhere.address._tag === "Tcp")
      for (const host of ["127.0.0.1", "::1", "localhost"]) {
        yield* Connection.connect({ address: SocketAddress.tcp(host, everywhere.address.port) })
        assert.match((yield* everywhere.accept).peer, /127\.0\.0\.1|::1/)
      }
    })
  )

  it.effect("who names no host is reached from this machine alone", () =>
    Effect.gen(function* () {
      const listener = yield* Listener.make({ address: SocketAddress.tcp("", 0) })
      assert(listener.address._tag === "Tcp")
      assert.strictEqual(listener.address.host, "127.0.0.1")
      const near = yield* Connection.connect({ address: SocketAddress.tcp("", listener.address.port) })
      assert.strictEqual(near.peer, SocketAddress.format(listener.address))
      // All of 127.0.0.0/8 is this machine, but only one address of it is listened on.
      const elsewhere = Connection.connect({ address: SocketAddress.tcp("127.0.0.2", listener.address.port) })
      assert.strictEqual((yield* Effect.flip(elsewhere))._tag, "ConnectError")
    })
  )

  describe("Unix sockets", () => {
    it.effect("the file is there while somebody listens", () =>
      Effect.gen(function* () {
        const address = yield* unixPath
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* Listener.make({ address })
            const stat = Fs.lstatSync(address.path)
            assert.isTrue(stat.isSocket())
          })
        )
        assert.isFalse(Fs.existsSync(address.path))
      })
    )

    it.effect("one that was left over is replaced", () =>
      Effect.gen(function* () {
        const address = yield* unixPath
        const server = Net.createServer()
        yield* Effect.callback<void>((resume) => void server.listen(address.path, () => resume(Effect.void)))
        // As after a crash: the name is there, and nobody behind it.
        const kept = `${address.path}.kept`
        Fs.linkSync(address.path, kept)
        yield* Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
        Fs.renameSync(kept, address.path)
        assert.isFalse(yield* Effect.orElseSucceed(isListening(address), () => false))
        yield* connected(address)
      })
    )

    it.effect("one that a process listens on is not, and that process hears nothing of it", () =>
      Effect.gen(function* () {
        const folder = yield* directory
        Fs.mkdirSync(Path.join(folder, "real"))
        Fs.symlinkSync("real", Path.join(folder, "link"))
        let connections = 0
        const server = Net.createServer((socket) => {
          connections++
          socket.destroy()
        })
        const path = Path.join(folder, "real", "socket")
        yield* Effect.callback<void>((resume) => void server.listen(path, () => resume(Effect.void)))
        const { ino } = Fs.lstatSync(path)
        for (const name of ["real/socket", "link/socket"]) {
          const address = SocketAddress.unix(Path.join(folder, name))
          const error = yield* Effect.flip(Effect.scoped(Listener.make({ address })))
          assert.deepInclude(error, { _tag: "ListenError", code: "EADDRINUSE" })
        }
        assert.strictEqual(Fs.lstatSync(path).ino, ino)
        if (process.platform === "linux") assert.strictEqual(connections, 0)
        assert.isTrue(yield* isListening(SocketAddress.unix(path)))
        yield* Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
      })
    )

    it.live("one that was bound by a relative path, which the system's list does not tell, is not", () =>
      Effect.gen(function* () {
        const folder = yield* directory
        const script =
          'process.chdir(process.argv[1]); require("net").createServer().listen("s", () => console.log("up"))'
        const child = yield* Effect.acquireRelease(
          Effect.sync(() => ChildProcess.spawn(process.execPath, ["-e", script, folder])),
          (child) => Effect.sync(() => void child.kill("SIGKILL"))
        )
        yield* Effect.callback<void>((resume) => void child.stdout.once("data", () => resume(Effect.void)))
        const address = SocketAddress.unix(Path.join(folder, "s"))
        const error = yield* Effect.flip(Effect.scoped(Listener.make({ address })))
        assert.deepInclude(error, { _tag: "ListenError", code: "EADDRINUSE" })
        assert.isTrue(yield* isListening(address))
      }).pipe(Effect.scoped)
    )

    it.effect("another file is not", () =>
      Effect.gen(function* () {
        const address = SocketAddress.unix(Path.join(yield* directory, "precious"))
        Fs.writeFileSync(address.path, "data")
        const error = yield* Effect.flip(Effect.scoped(Listener.make({ address })))
        assert.deepInclude(error, { _tag: "ListenError", code: "EADDRINUSE" })
        assert.strictEqual(Fs.readFileSync(address.path, "utf8"), "data")
      })
    )
  })

  describe("on a network of the test's own", () => {
    /** A network that only records how it is listened on. */
    const recorded = () => {
      const seen: { options?: ListenOptions; cancelled: number; answer?: () => void } = { cancelled: 0 }
      const calls: Calls = {
        connect: () => () => undefined,
        listen: (address, options, done) => {
          seen.options = options
          seen.answer = () => done(Result.succeed({ address, close: (closed) => closed() }))
          return () => void seen.cancelled++
        }
      }
      return { calls, seen }
    }
    const address = SocketAddress.tcp("10.0.0.1", 1)

    it.effect("a listener that breaks: what is there can be accepted, then ListenError", () =>
      Effect.gen(function* () {
        const { calls, seen } = recorded()
        const making = yield* Effect.forkChild(
          Listener.make({ address, keepAlive: "5 seconds", maxConnections: 7 }).pipe(
            Effect.provideService(Network, calls)
          )
        )
        yield* turn
        seen.answer!()
        const listener = yield* Fiber.join(making)
        assert.deepInclude(seen.options, { keepAlive: 5000, backlog: 7 })
        const error: ErrnoError = Object.assign(new Error("no descriptors"), { code: "EMFILE" })
        seen.options!.onError(error)
        const failure = yield* Effect.flip(Effect.scoped(listener.accept))
        assert.deepInclude(failure, { _tag: "ListenError", operation: "accept", code: "EMFILE" })
      })
    )

    it.effect("an attempt to listen can be interrupted", () =>
      Effect.gen(function* () {
        const { calls, seen } = recorded()
        const making = yield* Effect.forkChild(
          Effect.provideService(Effect.scoped(Listener.make({ address })), Network, calls)
        )
        yield* turn
        yield* Fiber.interrupt(making)
        assert.strictEqual(seen.cancelled, 1)
      })
    )
  })

  it.effect("a listener that is interrupted while it is about to listen leaves no socket file", () =>
    Effect.gen(function* () {
      const address = yield* unixPath
      const making = yield* Effect.forkChild(Effect.scoped(Effect.andThen(Listener.make({ address }), Effect.never)))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(making)
      for (let i = 0; i < 20; i++) yield* turn
      assert.isFalse(Fs.existsSync(address.path))
    })
  )

  describe("interrupted at any step", () => {
    const address = SocketAddress.tcp("10.0.0.1", 4444)

    /** What is left of a network when an effect has been interrupted in front of its `step`-th operation. */
    const left = (self: Effect.Effect<unknown, unknown>, step: number, seed: number) =>
      Simulation.run(
        (world) =>
          Effect.gen(function* () {
            const network = yield* VirtualNetwork.make({ later: world.later })
            const fiber = yield* Effect.forkChild(Effect.provide(self, network.layer))
            const begin = world.steps()
            world.atStep(begin + step, () => fiber.interruptUnsafe())
            yield* Fiber.await(fiber)
            const steps = world.steps() - begin
            // The network may tell of a connection that nobody listens for any more.
            yield* Effect.sleep("1 second")
            return { steps, listening: network.listening(), open: network.openEnds() }
          }),
        { seed }
      ).pipe(Effect.flatMap(({ exit }) => exit!))

    const nothingIsLeft = Effect.fnUntraced(function* (self: Effect.Effect<unknown, unknown>) {
      for (const seed of [1, 39]) {
        const { steps } = yield* left(self, 0, seed)
        assert.isAbove(steps, 20)
        for (let step = 1; step <= steps; step++) {
          const place = `seed ${seed}, step ${step} of ${steps}`
          assert.deepInclude(yield* left(self, step, seed), { listening: [], open: 0 }, place)
        }
      }
    })

    it.effect("a listener leaves no address and no connection behind", () =>
      nothingIsLeft(Effect.scoped(Effect.andThen(Listener.make({ address }), Effect.void)))
    )

    const connecting = Effect.andThen(Connection.connect({ address }), Effect.never)

    it.effect.each([
      ["in a scope of its own", Effect.scoped(connecting)],
      ["in the same scope", connecting]
    ] as const)("a connection is closed on both sides, %s", ([, connecting]) =>
      nothingIsLeft(
        Effect.gen(function* () {
          const listener = yield* Listener.make({ address })
          yield* Effect.forkScoped(connecting)
          yield* Effect.scoped(listener.accept)
        }).pipe(Effect.scoped)
      )
    )
  })
})
