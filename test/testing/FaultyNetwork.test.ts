import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Connection from "../../src/io/sockets/Connection.ts"
import * as Listener from "../../src/io/sockets/Listener.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import * as FaultyNetwork from "../../src/testing/FaultyNetwork.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"

const { Fault } = FaultyFiles
const address = SocketAddress.unix("/run/vm.sock")

/** Ten bytes go from one side to the other, and back comes the end. */
const exchange = Effect.gen(function* () {
  const listener = yield* Listener.make({ address })
  const sender = yield* Connection.connect({ address })
  const receiver = yield* listener.accept
  yield* sender.write([new Uint8Array(10).fill(7)])
  yield* sender.end
  const target = new Uint8Array(10)
  yield* receiver.read([target])
  return target
}).pipe(Effect.scoped)

const under = Effect.fnUntraced(function* (plan: FaultyFiles.Plan<FaultyNetwork.Call>) {
  const inner = yield* VirtualNetwork.make()
  const network = FaultyNetwork.make(plan, inner.calls)
  const result = yield* Effect.result(Effect.provide(exchange, network.layer))
  assert.deepStrictEqual([inner.openEnds(), inner.listening()], [0, []])
  return { result, log: network.log() }
})

const atCall = (name: FaultyNetwork.Call["name"], fault: FaultyFiles.Fault) => (call: FaultyNetwork.Call) =>
  call.name === name ? fault : undefined

describe("FaultyNetwork", () => {
  it.effect("tells of every call", () =>
    Effect.gen(function* () {
      const { log, result } = yield* under(() => undefined)
      assert.strictEqual(result._tag, "Success")
      assert.deepStrictEqual(
        log.map(({ index }) => index),
        log.map((_, index) => index)
      )
      for (const name of ["listen", "connect", "accept", "write", "end", "read"]) {
        assert.isTrue(
          log.some((call) => call.name === name),
          name
        )
      }
    })
  )

  it.effect.each([
    ["listen", "ListenError"],
    ["connect", "ConnectError"],
    ["write", "ConnectionLostError"],
    ["read", "ConnectionLostError"]
  ] as const)("fails in a call of %s", ([name, tag]) =>
    Effect.gen(function* () {
      const { result } = yield* under(atCall(name, Fault.Fail({ code: "EIO" })))
      assert(result._tag === "Failure")
      assert.strictEqual(result.failure._tag, tag)
    })
  )

  it.effect.each([Fault.Short({ bytes: 1 }), Fault.Delay({ turns: 20 })])("goes on after %o", (fault) =>
    Effect.gen(function* () {
      const { result } = yield* under(() => fault)
      assert(result._tag === "Success")
      assert.deepStrictEqual(result.success, new Uint8Array(10).fill(7))
    })
  )

  it.effect("ends a connection that is read for nothing", () =>
    Effect.gen(function* () {
      const { result } = yield* under(atCall("read", Fault.Short({ bytes: 0 })))
      assert(result._tag === "Failure")
      assert.strictEqual(result.failure._tag, "ConnectionEndedError")
    })
  )
})
