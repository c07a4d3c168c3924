/**
 * The power fails at every call of a save. Of the changes that were not synced any may be lost, each on its own, writes may be
 * torn between sectors, and what is left may have come in any order: what has the final name is nothing, the old image, or
 * the whole new one.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Migration from "../../src/migration/Migration.ts"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as Simulation from "../../src/testing/Simulation.ts"
import { contentsOf, machineOf } from "../support/machine.ts"
import { settings } from "../support/settings.ts"

const TARGET = "/vm.img"
const PAGES = 24
const OLD = new Uint8Array(5000).fill(0x11)

const situations = ["absent", "old", "in place"] as const

type Situation = (typeof situations)[number]

/** Saves on a disk of its own, and calls `atCall` in front of every call, and once when all is done. */
const saving = Effect.fnUntraced(function* (
  situation: Situation,
  { later, seed }: Pick<Simulation.World, "later" | "seed">,
  atCall: (disk: MemoryDisk.MemoryDisk, call: number) => void
) {
  const disk = MemoryDisk.make({ seed, later })
  if (situation !== "absent") disk.write(TARGET, OLD)
  const plan: FaultyFiles.Plan = ({ index }) => {
    atCall(disk, index)
    return undefined
  }
  const files = FaultyFiles.make(plan, disk.calls, { later })
  const target = situation === "in place" ? { path: TARGET, offset: 0 } : TARGET
  yield* Effect.provide(
    Migration.make.save({ ...(yield* machineOf(PAGES)), target, channels: 3, batchSize: 4 * 4096 }),
    files.layer
  )
  const calls = files.log().length
  atCall(disk, calls)
  return { calls, complete: disk.read(TARGET)! }
})

/** What is there after the power is back. In place, whatever opens as an image is the whole one. */
const check = Effect.fnUntraced(function* (
  situation: Situation,
  disk: MemoryDisk.MemoryDisk,
  { complete, place }: { readonly complete: Uint8Array; readonly place: string }
) {
  if (disk.holds(TARGET, complete)) return "complete"
  if (situation === "absent") assert.notInclude(disk.files(), TARGET, place)
  if (situation === "old") assert.isTrue(disk.holds(TARGET, OLD), place)
  if (situation !== "in place") return "before"
  const opened = yield* Effect.result(Effect.provide(contentsOf(TARGET), disk.layer))
  if (opened._tag === "Success") assert.deepStrictEqual(opened.success, yield* reference, place)
  return "no image"
})

const reference = Effect.gen(function* () {
  const disk = MemoryDisk.make()
  return yield* Effect.provide(
    Effect.andThen(
      Effect.flatMap(machineOf(PAGES), (machine) => Migration.make.save({ ...machine, target: TARGET })),
      contentsOf(TARGET)
    ),
    disk.layer
  )
}).pipe(Effect.orDie, Effect.cached, Effect.runSync)

/** Every call of one save, in an order that a seed chooses: how many states there were, and what was found in them. */
const cuts = (situation: Situation) => (world: Simulation.World) =>
  Effect.gen(function* () {
    const { random, seed } = world
    const outcomes = new Set<string>()
    const { calls } = yield* saving(situation, world, () => {})
    // Each call has its share of the subsets, and every prefix is tried with all and with nothing of the rest.
    const share = Math.ceil(settings.powerSubsets / (calls + 1))
    const cut: Array<readonly [disk: MemoryDisk.MemoryDisk, place: string]> = []
    const { complete } = yield* saving(situation, world, (disk, call) => {
      const place = `seed ${seed}, call ${call}`
      for (const keep of [false, true]) cut.push([disk.powerCut(() => keep), `${place}, kept: ${keep}`])
      for (let subset = 0; subset < share; subset++) {
        cut.push([disk.powerCut(...MemoryDisk.anyLoss(random)), `${place}, subset ${subset}`])
      }
    })
    for (const [disk, place] of cut) outcomes.add(yield* check(situation, disk, { complete, place }))
    return { states: cut.length, outcomes }
  })

describe("a power cut", () => {
  it.live.each(situations)(
    "at every call, with all, none, or any of the unsynced changes, torn and reordered: %s",
    (situation) =>
      Effect.gen(function* () {
        const outcomes = new Set<string>()
        let states = 0
        for (let seed = 1; seed <= settings.powerSeeds; seed++) {
          const { exit } = yield* Simulation.run(cuts(situation), { seed })
          const found = yield* exit!
          for (const outcome of found.outcomes) outcomes.add(outcome)
          states += found.states
        }
        assert.isAtLeast(states, settings.powerSeeds * settings.powerSubsets)
        assert.deepStrictEqual(
          [...outcomes].toSorted(),
          ["complete", situation === "in place" ? "no image" : "before"].toSorted()
        )
      }),
    { timeout: 0 }
  )
})
