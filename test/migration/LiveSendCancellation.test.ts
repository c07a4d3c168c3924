/**
 * A small live migration over sockets whose sender is interrupted in front of every single operation.
 */
import { assert, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as BlocksTarget from "../../src/snapshot/BlocksTarget.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Progress from "../../src/migration/Progress.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as Interruption from "../support/interruption.ts"
import * as MachineInSteps from "../support/guests/machineInSteps.ts"
import { turns } from "../support/time.ts"

const { receive, send } = Migration.make
const CONNECTIONS = 3

const at = SocketAddress.unix("/run/vm.sock")

/** Enough for dirty pages to be sent while the writer runs; each further one makes all attempts longer, and more of them. */
const ROUNDS = 2

/** Turns of the event loop in which everything that is on its way has arrived. */
const TURNS = 200

/** As long as connections are missing, the destination waits for them. */
const isWaiting = (network: VirtualNetwork.VirtualNetwork): boolean =>
  network.links().filter((link) => link.fromConnector > 0).length < CONNECTIONS

const attempt = Effect.fnUntraced(function* (step: number) {
  const network = yield* VirtualNetwork.make({})
  const machine = yield* MachineInSteps.make({ maxRounds: ROUNDS })
  const memory = new Uint8Array(machine.memory.length).fill(0xa5)
  const target = yield* MemoryPages.make({ idstr: "pc.ram", memory })
  const progress = yield* Progress.make
  const listening = yield* Deferred.make<void>()
  const receiving = receive({
    listen: at,
    target: BlocksTarget.make([target]),
    onListening: () => Effect.asVoid(Deferred.succeed(listening, undefined))
  })
  const { block, live } = machine
  const source = { blocks: [block], live }
  const [received, { exit, steps }] = yield* Effect.gen(function* () {
    const receiver = yield* Effect.forkChild(receiving)
    yield* Deferred.await(listening)
    const sent = yield* Interruption.at(send({ to: at, source, progress, batchSize: 4 * 4096 }), step)
    // It sees at once that connections have ended; what it goes on waiting for are those that nobody will make.
    yield* Effect.raceFirst(Fiber.await(receiver), Effect.andThen(turns(TURNS), Fiber.interrupt(receiver)))
    return [yield* Fiber.await(receiver), sent] as const
  }).pipe(Effect.provide(network.layer))
  return { exit, machine, memory, network, received, steps, status: yield* progress.status.current }
})

it.live(
  "cancelled at any step, it is cancelled: closed on both sides, and the machine runs",
  () =>
    Effect.gen(function* () {
      const whole = yield* attempt(0)
      assert.isTrue(Exit.isSuccess(whole.exit) && Exit.isSuccess(whole.received))
      assert.deepStrictEqual(whole.memory, whole.machine.memory)
      let cancelled = 0
      const cancelAt = Effect.fnUntraced(function* (step: number) {
        const { exit, machine, network, received, status } = yield* attempt(step)
        const place = `at step ${step} of ${whole.steps}, ${status}, ${exit.toString()}, having heard ${machine.heard.join()}`
        assert.strictEqual(network.openEnds(), 0, place)
        assert.deepStrictEqual(network.listening(), [], place)
        if (status === "completed") return assert.isTrue(Exit.isSuccess(received), place)
        cancelled++
        assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause), place)
        assert.include(["none", "cancelled"], status, place)
        MachineInSteps.checkRunning(machine, place)
        // The destination may have all of it already; it never takes a part for the whole.
        if (Exit.isFailure(received)) assert.strictEqual(Cause.hasFails(received.cause), !isWaiting(network), place)
      })
      const steps = Array.from({ length: whole.steps }, (_, index) => index + 1)
      yield* Effect.forEach(steps, cancelAt, { concurrency: 32, discard: true })
      assert.isAbove(cancelled, 1000)
    }),
  120_000
)
