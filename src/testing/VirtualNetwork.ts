/**
 * A network in memory: listeners, connections and their bytes in flight under the library's calls on sockets, for tests
 * whose connections fail at planned points.
 *
 * ```text
 *   connector ══ from: "connector" ══════════▶ listener
 *             ◀═════════ from: "listener" ════
 *                        │
 *                        └── at byte n: Cut, Reset, Stall, Delay, Corrupt, Short
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Calls, Network } from "../io/sockets/Network.ts"
import { format } from "../io/sockets/SocketAddress.ts"
import { EventLoop } from "./internal/eventLoop.ts"
import { Switchboard } from "./internal/switchboard.ts"
import type { Later } from "./Simulation.ts"
import type { Rule, Link } from "./internal/virtualNetworkModel.ts"

export { Fault, type Link, type Rule } from "./internal/virtualNetworkModel.ts"

/**
 * Options of a network.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * Selects the order of concurrent events: the same seed gives the same order. Default: the order in which they became
   * possible.
   */
  readonly seed?: number | undefined
  /** Bytes that each direction of a connection holds before a writer must wait for the reader. Default 64 KiB. */
  readonly capacity?: number | undefined
  /** The planned faults. Default: none. */
  readonly plan?: ReadonlyArray<Rule> | undefined
  /**
   * The time at which events happen. Default: in later turns of Node's event loop, one per turn; a `Simulation` has its
   * own.
   */
  readonly later?: Later | undefined
}

/**
 * The network, and the test's view of it.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface VirtualNetwork {
  readonly calls: Calls
  /** Puts the network under every program to which it is provided. */
  readonly layer: Layer.Layer<never>
  /** All established connections, in the order of the attempts. */
  readonly links: () => ReadonlyArray<Link>
  /** Ends of connections that were not closed: 0 if nothing leaks. */
  readonly openEnds: () => number
  /** The listening addresses, as migration URIs. */
  readonly listening: () => ReadonlyArray<string>
}

/**
 * An empty network.
 *
 * **Details**
 *
 * An event happens only after the call that causes it has returned. As in TCP, closing a connection with unread data
 * resets it. There is no real TLS: an attempt fails unless both sides want TLS or neither does, and credentials are not
 * compared.
 *
 * **Example** (A connection that breaks after a thousand bytes)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Connection, Listener } from "effect-multifd/io"
 * import { SocketAddress } from "effect-multifd"
 * import { VirtualNetwork } from "effect-multifd/testing"
 *
 * const program = Effect.gen(function* () {
 *   const network = yield* VirtualNetwork.make({
 *     plan: [{ connection: 0, at: 1000, fault: VirtualNetwork.Fault.Reset() }]
 *   })
 *   const address = SocketAddress.tcp("10.0.0.1", 4444)
 *   const transfer = Effect.gen(function* () {
 *     const listener = yield* Listener.make({ address })
 *     const sender = yield* Connection.connect({ address })
 *     const receiver = yield* listener.accept
 *     yield* sender.write([new Uint8Array(2000)])
 *     return yield* Effect.flip(receiver.read([new Uint8Array(2000)])) // ConnectionLostError
 *   }).pipe(Effect.scoped, Effect.provide(network.layer))
 *   return { error: yield* transfer, leaks: network.openEnds() }
 * })
 * ```
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<VirtualNetwork> =>
  Effect.map(Effect.context<never>(), (context) => {
    const run = Effect.runForkWith(context)
    const board = new Switchboard({
      loop: new EventLoop(options.seed, options.later),
      capacity: options.capacity ?? 65_536,
      plan: options.plan ?? [],
      sleep: (duration, wake) => void run(Effect.andThen(Effect.sleep(duration), Effect.sync(wake)))
    })
    return {
      calls: board.calls,
      layer: Layer.succeed(Network, board.calls),
      links: () => board.links(),
      openEnds: () => board.links().reduce((sum, { open }) => sum + open, 0),
      listening: () => board.listening().map(format)
    }
  })
