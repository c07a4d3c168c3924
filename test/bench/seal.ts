/**
 * What the checksums of an image cost: saves with them and without, in turns, in one process.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { Machine } from "./machine.ts"
import { makeRam } from "./place.ts"
import { atMost, type Verdict } from "./targets.ts"
import * as Worker from "./worker.ts"

const PROGRAM = Path.join(import.meta.dirname, "sealWorker.ts")

/** Percent of the time of a save without checksums; to a tmpfs, where nothing is as slow as a disk, it is only told. */
const LIMITS = { disk: 10, tmpfs: 100 }

/** Saves RAM of each pattern from memory. */
export const run = (machine: Machine): Effect.Effect<ReadonlyArray<Verdict>, Worker.BenchError> => {
  const { patterns, rounds, size } = machine.settings
  const path = machine.file("tmpfs", "ram")
  return Effect.gen(function* () {
    const verdicts: Array<Verdict> = []
    for (const pattern of patterns) {
      makeRam(path, pattern, size)
      for (const place of ["disk", "tmpfs"] as const) {
        const target = machine.file(place, "image")
        const worker = yield* Worker.startNode([PROGRAM, path, target, String(rounds)])
        const { phases } = yield* Effect.andThen(machine.settle(place), worker.run())
        const cost = 100 * (phases["sealed"]! / phases["plain"]! - 1)
        verdicts.push(atMost(`checksums, cost of a save to ${place}: ${pattern}`, cost, LIMITS[place], "%"))
      }
      Fs.rmSync(path)
    }
    return verdicts
  }).pipe(Effect.scoped, Effect.ensuring(Effect.sync(() => Fs.rmSync(path, { force: true }))))
}
