/**
 * A small live migration over sockets whose sender is interrupted, step by step.
 */
import { assert, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { MemoryPages, Migration, Progress, SocketAddress } from "../../src/index.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as Interruption from "./support/interruption.ts"
import * as MachineInSteps from "./support/machineInSteps.ts"

const { receiveBlocks, send } = Migration.make
const at = SocketAddress.unix("/run/vm.sock")

/** Every so many operations: their number makes the rest a matter of patience. */
const STRIDE = 7

/** A destination that nobody has said a word to goes on waiting for somebody. */
const isUntouched = (network: VirtualNetwork.VirtualNetwork): boolean =>
  network.links().every((link) => link.fromConnector === 0)

const attempt = Effect.fnUntraced(function* (step: number) {
  const network = yield* VirtualNetwork.make({})
  const machine = yield* MachineInSteps.make()
  const memory = new Uint8Array(machine.memory.length).fill(0xa5)
  const target = yield* MemoryPages.make({ idstr: "pc.ram", memory })
  const progress = yield* Progress.make
  const listening = yield* Deferred.make<void>()
  const receiving = receiveBlocks({
    listen: at,
    blocks: [target],
    onListening: () => Effect.asVoid(Deferred.succeed(listening, undefined)),
    limits: { handshakeTimeout: 3000, idleTimeout: 3000 }
  })
  const { block, live } = machine
  const source = { blocks: [block], live }
  const [received, { exit, steps }] = yield* Effect.gen(function* () {
    const receiver = yield* Effect.forkChild(receiving)
    yield* Deferred.await(listening)
    const sent = yield* Interruption.at(send({ to: at, source, progress, batchSize: 4 * 4096 }), step)
    if (isUntouched(network)) yield* Fiber.interrupt(receiver)
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
        if (isUntouched(network)) return
        if (Exit.isFailure(received)) assert.isTrue(Cause.hasFails(received.cause), place)
      })
      const steps = Array.from({ length: Math.ceil(whole.steps / STRIDE) }, (_, index) => 1 + index * STRIDE)
      yield* Effect.forEach(steps, cancelAt, { concurrency: 64, discard: true })
      assert.isAbove(cancelled, 100)
    }),
  120_000
)
