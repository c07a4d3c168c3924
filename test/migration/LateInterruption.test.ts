/**
 * Interruptions and failures when the destination has everything already: its guest runs, the source's must not run as well, and
 * neither side may say that nothing has happened.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as ReturnPath from "../../src/format/stream/ReturnPath.ts"
import type * as Connection from "../../src/io/sockets/Connection.ts"
import * as Listener from "../../src/io/sockets/Listener.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as BlocksTarget from "../../src/snapshot/BlocksTarget.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Progress from "../../src/migration/Progress.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Simulation from "../../src/testing/Simulation.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as MachineInSteps from "../support/guests/machineInSteps.ts"

const at = SocketAddress.unix("/run/vm.sock")

/** So many that their description does not fit into what a connection holds. */
const sections = Array.from({ length: 400 }, (_, index) => ({
  name: `device-${index}`,
  instanceId: 0,
  version: 1,
  data: Uint8Array.of(index)
}))

/** Bytes of the end of the description that a destination need not read before it answers, as QEMU does not. */
const UNREAD = 20_000

/** Reads so many bytes, or all that come within a second, says that it has everything, and reads no more. */
const destination = Effect.fnUntraced(function* (most: number, connection: Connection.Connection) {
  const buffer = new Uint8Array(1000)
  let read = 0
  const readAll = Effect.gen(function* () {
    for (let count = 1; read < most && count > 0; read += count) count = yield* connection.readSome(buffer)
  })
  // A sender that waits for an answer does not end its side: its last byte is the one that nothing follows.
  const reading = yield* Effect.forkChild(Effect.ignore(readAll))
  yield* Effect.raceFirst(Fiber.await(reading), Effect.sleep("1 second"))
  yield* connection.write([ReturnPath.encode({ _tag: "Shut", value: 0 })])
  return read
})

/** Sends a running machine. When the destination has answered, `end` is what happens to the sender. */
const migrate = (most: number, end: (sender: Fiber.Fiber<unknown, unknown>) => Effect.Effect<unknown>) =>
  Simulation.run(
    ({ later }) =>
      Effect.gen(function* () {
        const network = yield* VirtualNetwork.make({ later, capacity: 5000 })
        const { block, heard, live } = yield* MachineInSteps.make()
        const progress = yield* Progress.make
        const source = { blocks: [block], live, machineState: yield* MachineState.fromSections({ sections }) }
        const sending = Migration.make.send({ to: at, channels: 0, source, progress })
        const [read, exit] = yield* Effect.gen(function* () {
          const listener = yield* Listener.make({ address: at })
          const sender = yield* Effect.forkChild(sending)
          const connection = yield* listener.accept
          const read = yield* destination(most, connection)
          yield* Effect.sleep("100 millis")
          yield* end(sender)
          return [read, yield* Fiber.await(sender)] as const
        }).pipe(Effect.scoped, Effect.provide(network.layer))
        return { exit, heard, read, status: yield* progress.status.current }
      }),
    { seed: 1 }
  ).pipe(Effect.flatMap(({ exit }) => exit!))

describe("a sender whose destination has everything", () => {
  it.live("is interrupted too late", () =>
    Effect.gen(function* () {
      const whole = yield* migrate(Number.POSITIVE_INFINITY, Fiber.await)
      assert.isTrue(Exit.isSuccess(whole.exit))
      assert.isAbove(whole.read, 2 * UNREAD)
      const { heard, status } = yield* migrate(whole.read - UNREAD, Fiber.interrupt)
      assert.strictEqual(status, "completed")
      assert.include(heard, "pause")
      assert.notInclude(heard, "resume")
    })
  )
})

/** Receives a machine whose sender's end does not arrive behind so many bytes; `end` is what happens to the receiver. */
const receiveStaying = (
  { at: bytes, idleTimeout }: { readonly at: number; readonly idleTimeout: Duration.Input },
  end: <A, E>(receiver: Fiber.Fiber<A, E>) => Effect.Effect<unknown>
) =>
  Simulation.run(
    ({ later }) =>
      Effect.gen(function* () {
        const network = yield* VirtualNetwork.make({
          later,
          plan: [{ fault: VirtualNetwork.Fault.Stall(), at: bytes }]
        })
        const { block, memory } = yield* MachineInSteps.make()
        const found = new Uint8Array(memory.length).fill(0xa5)
        const target = yield* MemoryPages.make({ idstr: "pc.ram", memory: found })
        const progress = yield* Progress.makeDestination
        const listening = yield* Deferred.make<void>()
        const exit = yield* Effect.gen(function* () {
          const receiver = yield* Effect.forkChild(
            Migration.make.receive({
              listen: at,
              channels: 0,
              target: BlocksTarget.make([target]),
              progress,
              limits: { idleTimeout },
              onListening: () => Effect.asVoid(Deferred.succeed(listening, undefined))
            })
          )
          yield* Deferred.await(listening)
          yield* Effect.forkChild(Migration.make.send({ to: at, channels: 0, source: { blocks: [block] } }))
          yield* end(receiver)
          return yield* Fiber.await(receiver)
        }).pipe(Effect.provide(network.layer))
        assert.deepStrictEqual(found, memory)
        return { exit, sent: network.links()[0]!.fromConnector, status: yield* progress.status.current }
      }),
    { seed: 1 }
  ).pipe(Effect.flatMap(({ exit }) => exit!))

describe("a receiver that has everything", () => {
  const length = Effect.map(
    receiveStaying({ at: Number.POSITIVE_INFINITY, idleTimeout: "1 minute" }, Fiber.await),
    ({ sent }) => sent
  )

  it.live("is interrupted too late", () =>
    Effect.gen(function* () {
      const staying = { at: yield* length, idleTimeout: "1 minute" } as const
      const { status } = yield* receiveStaying(staying, (receiver) =>
        Effect.delay(Fiber.interrupt(receiver), "1 second")
      )
      assert.strictEqual(status, "completed")
    })
  )

  it.live("does not fail because its sender stays", () =>
    Effect.gen(function* () {
      const staying = { at: yield* length, idleTimeout: "1 second" } as const
      const { exit, status } = yield* receiveStaying(staying, Fiber.await)
      assert(Exit.isSuccess(exit))
      assert.strictEqual(exit.value.value.configuration?.machine, "none")
      assert.strictEqual(status, "completed")
    })
  )
})
