/**
 * Where tests of connections run: over real sockets, and over networks in memory, with the same assertions.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Path from "node:path"
import * as Connection from "../../../src/io/sockets/Connection.ts"
import * as Listener from "../../../src/io/sockets/Listener.ts"
import * as SocketAddress from "../../../src/io/sockets/SocketAddress.ts"
import * as VirtualNetwork from "../../../src/testing/VirtualNetwork.ts"
import * as Workspace from "../qemu/workspace.ts"

/** A new directory, removed at the end of the scope. */
export const directory: Effect.Effect<string, never, Scope.Scope> = Workspace.directory()

/** A port of this machine that the kernel chooses. */
export const anyPort = SocketAddress.tcp("127.0.0.1", 0)

/** A path for a Unix socket. */
export const unixPath: Effect.Effect<SocketAddress.UnixAddress, never, Scope.Scope> = Effect.map(directory, (path) =>
  SocketAddress.unix(Path.join(path, "socket"))
)

type Test<E> = (address: SocketAddress.SocketAddress) => Effect.Effect<void, E, Scope.Scope>

/** One test over TCP, over a Unix socket, and on networks in memory with several orders of events. */
export const onEveryNetwork = <E>(name: string, test: Test<E>): void => {
  it.effect(`${name} (TCP)`, () => test(anyPort))
  it.effect(`${name} (Unix)`, () => Effect.flatMap(unixPath, test))
  it.effect.each([undefined, 1, 2, 3])(`${name} (memory, order %s)`, (seed) =>
    onVirtualNetwork({ seed }, test(SocketAddress.tcp("10.0.0.1", 0)))
  )
}

/** An effect on a network in memory; the ends that it left open are an error of the test. */
export const onVirtualNetwork = <A, E, R>(
  options: VirtualNetwork.Options,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, Exclude<R, Scope.Scope>> =>
  Effect.gen(function* () {
    const network = yield* VirtualNetwork.make(options)
    const result = yield* Effect.provide(Effect.scoped(effect), network.layer)
    assert.deepStrictEqual([network.openEnds(), network.listening()], [0, []])
    return result
  })

/** Two ends of one connection, and the listener that it came through. */
export const connected = Effect.fnUntraced(function* (
  address: SocketAddress.SocketAddress,
  options: {
    readonly client?: Omit<Connection.Options, "address">
    readonly server?: Omit<Listener.Options, "address">
  } = {}
) {
  const listener = yield* Listener.make({ address, ...options.server })
  const [near, far] = yield* Effect.all(
    [Connection.connect({ address: listener.address, ...options.client }), listener.accept],
    { concurrency: 2 }
  )
  return { listener, near, far }
})

/** One turn of the event loop, in which sockets get on. */
export const turn: Effect.Effect<void> = Effect.callback((resume) => void setImmediate(() => resume(Effect.void)))

/** Bytes that tell where they belong. */
export const bytes = (length: number, seed = 1): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) + seed) % 251)

/** Everything up to the peer's end. */
export const readToEnd = Effect.fnUntraced(function* (connection: Connection.Connection, piece = 1000) {
  const parts: Array<Uint8Array> = []
  for (;;) {
    const target = new Uint8Array(piece)
    const length = yield* connection.readSome(target)
    if (length === 0) return Buffer.concat(parts)
    parts.push(target.subarray(0, length))
  }
})
