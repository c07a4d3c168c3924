/**
 * The power fails at every call of a save, and any of the changes that were not synced may be lost, each on its own: what
 * has the final name is nothing, the old image, or the whole new one.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Migration from "../../src/migration/Migration.ts"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import { contentsOf, machineOf } from "./support/machine.ts"
import { settings } from "./support/settings.ts"

const TARGET = "/vm.img"
const PAGES = 24
const OLD = new Uint8Array(5000).fill(0x11)

/** Numbers in [0, 1) that a seed chooses: a linear congruential generator is random enough to choose subsets. */
const randomFrom = (seed: number) => {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const same = (one: Uint8Array | undefined, other: Uint8Array): boolean =>
  one !== undefined && Buffer.compare(one, other) === 0

const situations = ["absent", "old", "in place"] as const

type Situation = (typeof situations)[number]

/** Saves on a disk of its own, and calls `atCall` in front of every call, and once when all is done. */
const saving = Effect.fnUntraced(function* (
  situation: Situation,
  seed: number,
  atCall: (disk: MemoryDisk.MemoryDisk, call: number) => void
) {
  const disk = MemoryDisk.make({ seed })
  if (situation !== "absent") disk.write(TARGET, OLD)
  const plan: FaultyFiles.Plan = ({ index }) => {
    atCall(disk, index)
    return undefined
  }
  const files = FaultyFiles.make(plan, disk.calls)
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
  const found = disk.read(TARGET)
  if (same(found, complete)) return "complete"
  if (situation === "absent") assert.isUndefined(found, place)
  if (situation === "old") assert.isTrue(same(found, OLD), place)
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

describe("a power cut", () => {
  it.live.each(situations)(
    "at every call, with all, none, or any of the unsynced changes: %s",
    (situation) =>
      Effect.gen(function* () {
        const outcomes = new Set<string>()
        let states = 0
        const seeds = Math.ceil(settings.powerSeeds / situations.length)
        for (let seed = 1; seed <= seeds; seed++) {
          const random = randomFrom(seed)
          const cuts: Array<readonly [disk: MemoryDisk.MemoryDisk, place: string]> = []
          const cut = (disk: MemoryDisk.MemoryDisk, call: number, keep: number) =>
            cuts.push([disk.powerCut(() => random() < keep), `seed ${seed}, call ${call}, ${keep} kept`])
          const { calls } = yield* saving(situation, seed, () => {})
          // Each call has its share of the subsets, and every prefix is tried with all and with nothing of the rest.
          const share = Math.ceil(settings.powerSubsets / (calls + 1))
          const { complete } = yield* saving(situation, seed, (disk, call) => {
            for (const keep of [0, 1]) cut(disk, call, keep)
            for (let subset = 0; subset < share; subset++) cut(disk, call, random())
          })
          for (const [disk, place] of cuts) outcomes.add(yield* check(situation, disk, { complete, place }))
          states += cuts.length
        }
        assert.isAtLeast(states, seeds * settings.powerSubsets)
        assert.deepStrictEqual(
          [...outcomes].toSorted(),
          ["complete", situation === "in place" ? "no image" : "before"].toSorted()
        )
      }),
    600_000
  )
})
