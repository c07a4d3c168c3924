/**
 * What the checksums of an image cost: the same save with them and without, in turns.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import type { Machine } from "./machine.ts"
import * as Ours from "./ours.ts"
import { makeRam } from "./place.ts"
import { atMost, type Verdict } from "./targets.ts"
import { measure } from "./variant.ts"
import type { BenchError } from "./worker.ts"

/** Percent of the time of a save without checksums; to a tmpfs, where nothing is as slow as a disk, it is only told. */
const LIMITS = { disk: 10, tmpfs: 100 }

/** Saves RAM of each pattern from memory. */
export const run = (machine: Machine): Effect.Effect<ReadonlyArray<Verdict>, BenchError> => {
  const { patterns, rounds, size } = machine.settings
  const path = machine.file("tmpfs", "ram")
  const scratch = machine.file("tmpfs", "scratch")
  return Effect.gen(function* () {
    const verdicts: Array<Verdict> = []
    for (const pattern of patterns) {
      const ram = makeRam(path, pattern, size)
      for (const place of ["disk", "tmpfs"] as const) {
        const target = machine.file(place, "image")
        const variants = [true, false].map((sealed) => Ours.save(ram, { store: "memory", target, scratch, sealed }))
        const [sealed, plain] = yield* measure(variants, { rounds, settle: machine.settle })
        const cost = 100 * (sealed!.median / plain!.median - 1)
        verdicts.push(atMost(`checksums, cost of a save to ${place}: ${pattern}`, cost, LIMITS[place], "%"))
        Fs.rmSync(target, { force: true })
      }
      Fs.rmSync(path)
    }
    return verdicts
  }).pipe(Effect.ensuring(Effect.sync(() => Fs.rmSync(path, { force: true }))))
}
