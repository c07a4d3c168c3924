/**
 * A postcopy source against a strict destination, in worlds in which one number decides the order of everything: requests in any
 * order and twice, while pages are sent unasked, over one channel or two, with breaks anywhere.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Postcopy from "../../src/postcopy/Postcopy.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as PageBitmap from "../../src/ram/PageBitmap.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import type { SnapshotSource } from "../../src/snapshot/SnapshotSource.ts"
import * as Simulation from "../../src/testing/Simulation.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as Destination from "../support/wire/postcopyDestination.ts"

const PAGE = 4096

/** A machine whose pages are all different, some of them absent. */
const machineOf = Effect.fnUntraced(function* (random: () => number) {
  const lengths = [120, 1 + Math.floor(random() * 40), 1]
  const blocks = yield* Effect.forEach(lengths, (pages, index) =>
    Effect.gen(function* () {
      const memory = new Uint8Array(pages * PAGE)
      const present = PageBitmap.make(pages)
      for (let page = 0; page < pages; page++) {
        if (random() < 0.3) continue
        present.setRange(page, 1)
        memory.fill(1 + ((page + 7 * index) % 255), page * PAGE, (page + 1) * PAGE)
      }
      const block = yield* MemoryPages.make({ idstr: `block${index}`, memory })
      const { readInto } = block.reader
      return { ...block, memory, reader: { present, view: undefined, readInto } }
    })
  )
  const source: SnapshotSource = {
    name: "memory",
    blocks,
    machine: "none",
    machineState: MachineState.empty({}),
    readUnit: 1
  }
  return { source, blocks }
})

const world = (preempt: boolean) =>
  Effect.fnUntraced(function* ({ later, random, seed }: Simulation.World) {
    const { blocks, source } = yield* machineOf(random)
    const memory = Destination.makeMemory(blocks)
    const present = new Map(blocks.map(({ idstr, reader }) => [idstr, reader.present]))
    const all = blocks.reduce((sum, { usedLength }) => sum + usedLength, 0)
    let attempts = 0
    for (; !memory.isComplete; attempts++) {
      assert.isBelow(attempts, 8)
      // Half of the worlds break, the first few times.
      const breaks = seed % 2 === 1 && attempts < 5
      const network = yield* VirtualNetwork.make({
        later,
        seed: seed + attempts,
        capacity: 512 + Math.floor(random() * 60_000),
        plan: breaks
          ? [
              {
                connection: random() < 0.7 ? 0 : 1,
                at: Math.floor(random() * all),
                fault: VirtualNetwork.Fault.Reset()
              }
            ]
          : []
      })
      const address = SocketAddress.tcp("10.0.0.1", 4444)
      const hadRun = memory.hasRun
      const exit = yield* Effect.gen(function* () {
        const destination = yield* Effect.forkScoped(
          Effect.exit(
            Destination.once({ address, memory, present, preempt, random, touches: Math.floor(random() * 300) })
          )
        )
        yield* Effect.sleep(1)
        const options = { source, to: address, preempt }
        const exit = yield* Effect.exit(hadRun ? Postcopy.recover(options) : Postcopy.send(options))
        yield* Fiber.interrupt(destination)
        return exit
      }).pipe(Effect.scoped, Effect.provide(network.layer))
      assert.deepStrictEqual(memory.violations, [])
      assert.strictEqual(network.openEnds(), 0)
      if (Exit.isSuccess(exit)) break
      const { _tag } = Cause.squash(exit.cause) as { readonly _tag: string }
      // The source knows that the guest runs as soon as it hears so: until then both may be true.
      if (_tag === "PostcopyPausedError") assert.isTrue(memory.hasRun)
      else if (!memory.hasRun) return { attempts, isComplete: false, seed }
    }
    for (const { idstr, memory: expected } of blocks) {
      assert.deepStrictEqual(memory.bytes.get(idstr), expected)
    }
    return { attempts, isComplete: true, seed }
  })

const SEEDS = 16

describe("a postcopy source in a simulated world", () => {
  for (const preempt of [false, true]) {
    it.effect(
      `sends every page once and forgets none${preempt ? ", with a channel for urgent pages" : ""}`,
      () =>
        Effect.gen(function* () {
          let [recovered, complete] = [0, 0]
          for (let seed = 1; seed <= SEEDS; seed++) {
            const { exit, running } = yield* Simulation.run(world(preempt), { seed, maxEvents: 200_000 })
            if (exit === undefined) return assert.fail(`seed ${seed} hangs`)
            if (Exit.isFailure(exit)) return assert.fail(`seed ${seed}: ${Cause.pretty(exit.cause)}`)
            assert.strictEqual(running, 0, `seed ${seed}`)
            if (exit.value.isComplete) complete++
            if (exit.value.attempts > 0 && exit.value.isComplete) recovered++
          }
          // Without a break all come to their end, and many of the others as well.
          assert.isAtLeast(complete, SEEDS / 2)
          assert.isAtLeast(recovered, 1)
        }).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
      120_000
    )
  }
})
