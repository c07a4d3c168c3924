import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as DirtyTracker from "../../src/ram/DirtyTracker.ts"
import * as Image from "../../src/image/Image.ts"
import type * as Live from "../../src/snapshot/Live.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Progress from "../../src/migration/Progress.ts"
import type * as RamBlock from "../../src/ram/RamBlock.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"
import * as Memory from "../support/memory.ts"
import * as Writers from "../support/guests/writers.ts"
import { between } from "../support/arbitraries.ts"
import { whileMillisPass } from "../support/time.ts"

const { save } = Migration.make

/** What an image holds of each block. */
const imageContents = Effect.fnUntraced(function* (path: string, like: ReadonlyArray<RamBlock.Shape>) {
  const image = yield* Image.open(path)
  assert.deepStrictEqual(image.findings, [])
  return yield* Effect.forEach(like, (block, index) =>
    Effect.map(image.readPages(block.idstr, 0, block.usedLength), (bytes) => ({ bytes, block: image.blocks[index]! }))
  )
}, Effect.scoped)

/** What happened, as QMP would show it. */
const eventsOf = ({ status }: Progress.Progress) =>
  Effect.map(Stream.runCollect(Stream.interruptWhen(status.events, Effect.yieldNow)), (events) =>
    events.map((event) => (event.event === "MIGRATION" ? event.status : event.pass))
  )

const simulation = Arbitrary.all({
  blocks: Arbitrary.map(
    Arbitrary.all([RamArbitraries.blocks({ maxPages: 40 }), Arbitrary.schema(Schema.Literals([4096, 1024]))]),
    ([blocks, pageSize]) => blocks.map((block) => ({ ...block, pageSize }))
  ),
  kind: Arbitrary.schema(Schema.Literals(["memory", "file"])),
  tracking: Arbitrary.schema(Schema.Literals(["marking", "hash", "copy"])),
  scripts: Arbitrary.array(Writers.script, { minLength: 1, maxLength: 3 }),
  leave: Arbitrary.schema(Schema.Literals(["paused", "running"])),
  waits: Arbitrary.schema(Schema.Boolean),
  downtimeLimit: between(0, 40),
  maxRounds: between(1, 6),
  bandwidth: Arbitrary.schema(Schema.Literals([0, 2_000_000, 400_000])),
  channels: between(1, 4),
  queueDepth: between(1, 5),
  batchSize: between(1024, 100_000),
  coalescePages: between(0, 6),
  seed: between(1, 1000)
})

describe("a live save", () => {
  it.effect.prop(
    "holds the memory as it was when the writers were stopped",
    { simulation },
    ({ simulation }) =>
      Effect.gen(function* () {
        const { bandwidth, downtimeLimit, leave, maxRounds, seed, waits, ...options } = simulation
        const disk = MemoryDisk.make({ seed })
        yield* Effect.gen(function* () {
          const machine = yield* Writers.make(simulation)
          const progress = yield* Progress.make
          yield* whileMillisPass(
            save({
              ...options,
              target: "/vm.img",
              blocks: machine.blocks,
              maxBandwidth: bandwidth,
              progress,
              live: {
                ...machine,
                leave,
                downtimeLimit,
                maxRounds,
                beforeSwitchover: waits ? Effect.sleep(5) : undefined
              }
            })
          )
          const contents = yield* imageContents("/vm.img", machine.blocks)
          for (const [index, bytes] of machine.atPause().entries()) {
            const { block, bytes: found } = contents[index]!
            assert.isTrue(Buffer.compare(found, bytes) === 0, `${block.idstr} is not what it was`)
            assert.strictEqual(block.pagesPresent, Memory.presentPages(bytes, block.pageSize).length)
          }
          assert.deepStrictEqual(machine.calls, { pauses: 1, resumes: leave === "running" ? 1 : 0 })
          assert.strictEqual(machine.isRunning(), leave === "running")

          const { ram, status } = yield* progress.statistics.snapshot
          assert.strictEqual(status, "completed")
          const looks = ram!["dirty-sync-count"]
          assert.isAtLeast(looks, 3)
          assert.isAtMost(looks, maxRounds + 2)
          const passes = Array.from({ length: looks - 2 }, (_, index) => index + 2)
          assert.deepStrictEqual(yield* eventsOf(progress), [
            "setup",
            1,
            "active",
            ...passes,
            ...(waits ? ["pre-switchover"] : []),
            "device",
            looks,
            "completed"
          ])
        }).pipe(Effect.scoped, Effect.provide(disk.layer))
        assert.deepStrictEqual(
          disk.files().filter((path) => !path.startsWith("/ram")),
          ["/vm.img"]
        )
        assert.deepStrictEqual(disk.openFiles(), [])
      }),
    { arbitrary: { runs: 150 } }
  )
})

describe("what a live save is asked for", () => {
  const ask = (live: Partial<Live.Options>) =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const { block } = yield* Memory.small()
      const tracker = yield* DirtyTracker.marking([])
      const error = yield* Effect.flip(
        save({ target: "/vm.img", blocks: [block], live: { tracker, pause: Effect.die("not yet"), ...live } }).pipe(
          Effect.provide(disk.layer)
        )
      )
      assert.deepStrictEqual(disk.files(), [])
      return error.message
    })

  it.effect("has to be in the ranges, all of it", () =>
    Effect.gen(function* () {
      const set = () => Effect.void
      assert.strictEqual(
        yield* ask({ downtimeLimit: -1, maxRounds: 0, throttle: { set, trigger: 0 } }),
        "cannot save: downtimeLimit is -1; use a whole number of milliseconds from 0 to 2000000. Also: " +
          "maxRounds is 0; use a whole number from 1 to 2^53 - 1. Also: " +
          "throttle.trigger is 0; use a whole number of percent from 1 to 100"
      )
    })
  )

  it.effect("has to be of blocks that the tracker knows", () =>
    Effect.gen(function* () {
      assert.include(yield* ask({}), "must be a block that the dirty tracker knows")
    })
  )
})
