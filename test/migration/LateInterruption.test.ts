/**
 * A sender that is interrupted, or fails, when its destination has everything already: the guest runs there, and must not run
 * here as well.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as ReturnPath from "../../src/format/ReturnPath.ts"
import { type Connection, Listener, MachineState, Migration, Progress, SocketAddress } from "../../src/index.ts"
import * as Simulation from "../../src/testing/Simulation.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as MachineInSteps from "./support/machineInSteps.ts"

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

/** Reads so many bytes, or all that there are, says that it has everything, and reads no more. */
const destination = Effect.fnUntraced(function* (most: number, connection: Connection.Connection) {
  const buffer = new Uint8Array(1000)
  let read = 0
  for (let count = 1; read < most && count > 0; read += count) count = yield* connection.readSome(buffer)
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
