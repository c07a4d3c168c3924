import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as ByteSource from "../../src/snapshot/ByteSource.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as BlocksTarget from "../../src/snapshot/BlocksTarget.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Progress from "../../src/migration/Progress.ts"
import type * as RamBlock from "../../src/ram/RamBlock.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as Memory from "../support/memory.ts"
import * as Writers from "../support/guests/writers.ts"
import { between } from "../support/arbitraries.ts"
import { whileMillisPass } from "../support/time.ts"

const { receive, send } = Migration.make
const at = SocketAddress.unix("/run/vm.sock")

const literals = <const Values extends readonly [string | number, ...ReadonlyArray<string | number>]>(
  ...values: Values
) => Arbitrary.schema(Schema.Literals(values))

const simulation = Arbitrary.all({
  blocks: Arbitrary.map(
    Arbitrary.all([RamArbitraries.blocks({ maxPages: 40 }), literals(4096, 1024)]),
    ([blocks, pageSize]) => blocks.map((block) => ({ ...block, pageSize }))
  ),
  kind: literals("memory", "file"),
  tracking: literals("marking", "hash", "copy"),
  scripts: Arbitrary.array(Writers.script, { minLength: 1, maxLength: 3 }),
  leave: literals("paused", "running"),
  downtimeLimit: between(0, 40),
  maxRounds: between(1, 5),
  maxBandwidth: literals(0, 2_000_000, 400_000),
  channels: between(0, 4),
  compression: literals("none", "none", "zlib"),
  zeroPageDetection: literals("none", "legacy", "multifd"),
  marks: literals("each-round", "each-section"),
  queueDepth: between(1, 5),
  batchSize: between(1024, 100_000),
  seed: between(1, 1000)
})

const sections = (value: number) =>
  MachineState.fromSections({
    sections: [{ name: "cpu", instanceId: 0, version: 1, data: Uint8Array.of(value) }]
  })

/** Compression takes real time in threads, while the virtual clock runs on: a slow machine must not look like a dead peer. */
const limits = { handshakeTimeout: "1000 hours", idleTimeout: "1000 hours" } as const

/** The same shapes, holding something else. */
const stale = (blocks: ReadonlyArray<RamBlock.Shape>) => Effect.forEach(blocks, (block) => Memory.stale({ block }))

describe("a machine that is sent while it runs", () => {
  it.effect.prop(
    "arrives as it was when it was stopped",
    { simulation },
    ({ simulation }) =>
      Effect.gen(function* () {
        const { channels, compression: method, downtimeLimit, leave, maxRounds, seed, ...options } = simulation
        const compression = channels === 0 ? "none" : method
        const disk = MemoryDisk.make({ seed })
        const network = yield* VirtualNetwork.make({ seed })
        yield* Effect.gen(function* () {
          const machine = yield* Writers.make(simulation)
          const targets = yield* stale(machine.blocks)
          const listening = yield* Deferred.make<void>()
          const progress = yield* Progress.make
          const receiving = receive({
            listen: at,
            channels,
            compression,
            limits,
            pageSize: machine.blocks[0]!.pageSize,
            target: BlocksTarget.make(targets.map(({ block }) => block)),
            onListening: () => Effect.asVoid(Deferred.succeed(listening, undefined))
          })
          const sending = send({
            ...options,
            to: at,
            channels,
            compression,
            limits,
            progress,
            source: {
              blocks: machine.blocks,
              machineState: yield* sections(1),
              live: { ...machine, leave, downtimeLimit, maxRounds, machineState: sections(2).pipe(Effect.orDie) }
            }
          })
          const [{ value: machineState }] = yield* whileMillisPass(
            Effect.all([receiving, Effect.andThen(Deferred.await(listening), sending)], { concurrency: 2 })
          )
          for (const [index, bytes] of machine.atPause().entries()) {
            const { block, bytes: found } = targets[index]!
            assert.isTrue(Buffer.compare(found, bytes) === 0, `${block.idstr} is not what it was`)
          }
          const state = yield* ByteSource.read(machineState.deviceState)
          const expected = yield* ByteSource.read((yield* sections(2)).deviceState)
          assert.deepStrictEqual(state, expected)
          assert.deepStrictEqual(machine.calls, { pauses: 1, resumes: leave === "running" ? 1 : 0 })
          const { ram, status } = yield* progress.statistics.snapshot
          assert.strictEqual(status, "completed")
          assert.isAtMost(ram!["dirty-sync-count"], maxRounds + 2)
        }).pipe(Effect.scoped, Effect.provide(disk.layer), Effect.provide(network.layer))
        assert.strictEqual(network.openEnds(), 0)
      }),
    { arbitrary: { runs: 100 } }
  )

  it.effect("runs on when the destination goes away while it is stopped", () =>
    Effect.gen(function* () {
      const network = yield* VirtualNetwork.make({})
      yield* Effect.gen(function* () {
        const machine = yield* Writers.make({
          blocks: [{ idstr: "pc.ram", pageSize: 4096, pages: 20, pattern: "random", seed: 1 }],
          kind: "memory",
          tracking: "marking",
          scripts: [[{ at: 100, length: 7, value: 1, midway: 0, rest: 3 }]]
        })
        const [target] = yield* stale(machine.blocks)
        const listening = yield* Deferred.make<void>()
        const gone = yield* Deferred.make<void>()
        const receiving = receive({
          listen: at,
          target: BlocksTarget.make([target!.block]),
          onListening: () => Effect.asVoid(Deferred.succeed(listening, undefined))
        }).pipe(Effect.exit, Effect.raceFirst(Deferred.await(gone)))
        const sending = send({
          to: at,
          source: {
            blocks: machine.blocks,
            live: { ...machine, beforeSwitchover: Effect.andThen(Deferred.succeed(gone, undefined), Effect.sleep(20)) }
          }
        })
        const [, exit] = yield* whileMillisPass(
          Effect.all([receiving, Effect.exit(Effect.andThen(Deferred.await(listening), sending))], { concurrency: 2 })
        )
        assert.isTrue(Exit.isFailure(exit))
        assert.deepStrictEqual(machine.calls, { pauses: 1, resumes: 1 })
        assert.isTrue(machine.isRunning())
      }).pipe(Effect.scoped, Effect.provide(network.layer))
      assert.strictEqual(network.openEnds(), 0)
    })
  )
})
