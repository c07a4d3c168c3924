/**
 * Calls on sockets that fail or return short counts as a test plans: single calls, as in `FaultyFiles`. For faults at a
 * byte of a connection, see `VirtualNetwork`.
 *
 * @since 0.1.0
 */
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { type Calls, type ErrnoError, type Incoming, Network, type Transport } from "../io/sockets/Network.ts"
import { format } from "../io/sockets/SocketAddress.ts"
import type { Fault, Options, Plan } from "./FaultyFiles.ts"
import { afterTurns } from "./internal/delay.ts"
import { nextTurn } from "./internal/eventLoop.ts"
import { errnoError } from "./internal/nodeForm.ts"
import type { Later } from "./Simulation.ts"

/**
 * A call before it reaches the network. `accept` makes an incoming connection usable.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Call {
  /** Counts all calls from 0. */
  readonly index: number
  readonly name: "connect" | "listen" | "accept" | "read" | "write" | "end"
  /** The other side, or the listening address, as a migration URI. */
  readonly peer: string
}

/**
 * The calls, and the test's view of them.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface FaultyNetwork {
  readonly calls: Calls
  /** Injects the faults into every program to which it is provided. */
  readonly layer: Layer.Layer<never>
  /** Every call so far. */
  readonly log: () => ReadonlyArray<Call>
}

type Name = Call["name"]

/** Decides the faults, and makes the calls without one. */
class Injector {
  readonly log: Array<Call> = []
  readonly #plan: Plan<Call>
  readonly later: Later

  constructor(plan: Plan<Call>, later: Later) {
    this.#plan = plan
    this.later = later
  }

  /** `wanted` returns `true` if the call has not been cancelled when its time comes. */
  guard(
    { name, peer, wanted }: { readonly name: Name; readonly peer: string; readonly wanted: () => boolean },
    fail: (error: ErrnoError) => void,
    run: (fault: Fault | undefined) => void
  ): void {
    const call = { index: this.log.length, name, peer }
    this.log.push(call)
    const fault = this.#plan(call)
    const answer = (): void => (fault?._tag === "Fail" ? fail(errnoError(fault.code, name)) : run(fault))
    if (fault?._tag === "Fail") this.later(() => void (wanted() && answer()))
    else afterTurns(fault, () => void (wanted() && answer()), this.later)
  }
}

/** If a read is short by all of its bytes, the peer seems to have ended. */
const shortRead = (
  read: Transport["read"],
  later: Later,
  target: Uint8Array,
  done: Parameters<Transport["read"]>[1]
): void => (target.length === 0 ? later(() => done(null, 0)) : read(target, done))

const transportOf = (injector: Injector, inner: Transport): Transport => {
  const { peer } = inner
  let open = true
  let reading = 0
  return {
    peer,
    read: (target, done) => {
      const mine = ++reading
      injector.guard(
        { name: "read", peer, wanted: () => open && mine === reading },
        (error) => done(error, 0),
        (fault) => {
          if (fault?._tag === "Short") {
            shortRead((part, done) => inner.read(part, done), injector.later, target.subarray(0, fault.bytes), done)
          } else inner.read(target, done)
        }
      )
    },
    cancelRead: () => {
      reading++
      inner.cancelRead()
    },
    write: (parts, done) =>
      injector.guard({ name: "write", peer, wanted: () => open }, done, () => inner.write(parts, done)),
    end: (done) => injector.guard({ name: "end", peer, wanted: () => open }, done, () => inner.end(done)),
    destroy: () => {
      open = false
      inner.destroy()
    }
  }
}

const incomingOf = (injector: Injector, inner: Incoming): Incoming => {
  let wanted = true
  return {
    peer: inner.peer,
    open: (done) =>
      injector.guard(
        { name: "accept", peer: inner.peer, wanted: () => wanted },
        (error) => {
          inner.destroy()
          done(Result.fail(error))
        },
        () => inner.open((answer) => done(Result.map(answer, (transport) => transportOf(injector, transport))))
      ),
    destroy: () => {
      wanted = false
      inner.destroy()
    }
  }
}

/** Starts something that can be cancelled, before and after its start. */
const takenBack = (begin: (wanted: () => boolean, began: (cancel: () => void) => void) => void): (() => void) => {
  let wanted = true
  let cancel: (() => void) | undefined
  begin(
    () => wanted,
    (begun) => {
      cancel = begun
    }
  )
  return () => {
    wanted = false
    cancel?.()
  }
}

const callsOf = (injector: Injector, inner: Calls): Calls => ({
  connect: (address, options, done) =>
    takenBack((wanted, began) =>
      injector.guard(
        { name: "connect", peer: format(address), wanted },
        (error) => done(Result.fail(error)),
        () =>
          began(
            inner.connect(address, options, (answer) =>
              done(Result.map(answer, (transport) => transportOf(injector, transport)))
            )
          )
      )
    ),
  listen: (address, options, done) => {
    const onConnection = (incoming: Incoming): void => options.onConnection(incomingOf(injector, incoming))
    return takenBack((wanted, began) =>
      injector.guard(
        { name: "listen", peer: format(address), wanted },
        (error) => done(Result.fail(error)),
        () => began(inner.listen(address, { ...options, onConnection }, done))
      )
    )
  }
})

/**
 * Wraps other calls, such as a virtual network's, with faults.
 *
 * **Details**
 *
 * The plans are those of `FaultyFiles`. `Short` is for reads: they get at most `bytes` bytes, and with 0 the end of the
 * connection. A failing call does nothing, and the connection stays usable until it is closed.
 *
 * **Example** (The third call finds the connection reset)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { FaultyFiles, FaultyNetwork, VirtualNetwork } from "effect-multifd/testing"
 *
 * const program = Effect.gen(function* () {
 *   const inner = yield* VirtualNetwork.make()
 *   const network = FaultyNetwork.make(FaultyFiles.at(2, FaultyFiles.Fault.Fail({ code: "ECONNRESET" })), inner.calls)
 *   return network.layer
 * })
 * ```
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const make = (plan: Plan<Call>, inner: Calls, { later = nextTurn }: Options = {}): FaultyNetwork => {
  const injector = new Injector(plan, later)
  const calls = callsOf(injector, inner)
  return { calls, layer: Layer.succeed(Network, calls), log: () => injector.log.slice() }
}
