/**
 * A snapshot of a machine that keeps working: it is stopped only for the last pages.
 *
 * The machine counts: with every tick it adds one to a word of the next page. In the snapshot the sum of all these
 * words must equal the number of ticks in its register; otherwise a page would be from another moment than the rest.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { DirtyTracker, Image, type Live, MachineState, MemoryPages, Migration, Progress } from "effect-multifd"
import { temporaryFile } from "./support/files.ts"

const PAGE = 4096
const PAGES = 4096
const TICKS_AT_ONCE = 500

/** Its memory, and its only register. */
const makeMachine = Effect.gen(function* () {
  const memory = new Uint32Array((PAGES * PAGE) / 4)
  const ram = yield* MemoryPages.make({ idstr: "ram", memory: memory.buffer })
  const tracker = yield* DirtyTracker.marking([ram])
  const machine = { memory, ram, tracker, ticks: 0, running: true }
  const tick = (): void => {
    const page = machine.ticks++ % PAGES
    memory[(page * PAGE) / 4]! += 1
    tracker.markDirty("ram", page * PAGE, 4)
  }
  const run = Effect.forever(
    Effect.andThen(
      Effect.sync(() => {
        for (let i = 0; machine.running && i < TICKS_AT_ONCE; i++) tick()
      }),
      Effect.sleep("1 millis")
    )
  )
  yield* Effect.forkScoped(run)
  return machine
})

type Machine = Effect.Success<typeof makeMachine>

/** Reads the register when the effect runs, not when it is made. */
const stateOf = (machine: Machine) =>
  Effect.suspend(() => {
    const data = new Uint8Array(Uint32Array.of(machine.ticks).buffer)
    return Effect.orDie(MachineState.fromSections({ sections: [{ name: "counter", instanceId: 0, version: 1, data }] }))
  })

const sum = (words: Uint32Array): number => words.reduce((sum, word) => sum + word, 0)

const program = Effect.gen(function* () {
  const migration = yield* Migration.Migration
  const progress = yield* Progress.make
  const path = yield* temporaryFile("running.img")
  const machine = yield* makeMachine
  yield* Effect.sleep("50 millis")

  const live: Live.Options = {
    tracker: machine.tracker,
    pause: Effect.sync(() => void (machine.running = false)),
    resume: Effect.sync(() => void (machine.running = true)),
    machineState: stateOf(machine),
    leave: "running",
    downtimeLimit: 100
  }
  yield* migration.save({ target: path, blocks: [machine.ram], live, progress })
  const { downtime, ram } = yield* progress.statistics.snapshot
  yield* Console.log(`${ram!.normal} pages in ${ram!["dirty-sync-count"] - 1} rounds, stopped for ${downtime} ms`)

  const image = yield* Image.open(path)
  const words = new Uint32Array((yield* image.readPages("ram", 0, PAGES * PAGE)).buffer)
  const [register] = new Uint32Array(image.deviceSections[0]!.data.slice().buffer)
  if (sum(words) !== register) return yield* Effect.die(`${sum(words)} in memory, ${register} in the register`)
  yield* Console.log(`the snapshot is of tick ${register}, to the last page`)
  if (machine.ticks <= register) return yield* Effect.die("the machine has stopped")
  yield* Console.log("the machine kept running")
}).pipe(Effect.scoped, Effect.provide(Migration.layer))

NodeRuntime.runMain(program)
