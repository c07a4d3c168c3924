/**
 * How long a save keeps the event loop of its process from doing anything else.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import type { Machine } from "./machine.ts"
import * as Ours from "./ours.ts"
import { makeRam } from "./place.ts"
import { atMost, type Verdict } from "./targets.ts"
import { median } from "./variant.ts"
import type { BenchError } from "./worker.ts"

/** Milliseconds. */
const LIMITS = { p99: 5, max: 25 }

/** Saves RAM of each pattern from memory and from a file, to disk; each number is the median of the rounds. */
export const run = (machine: Machine): Effect.Effect<ReadonlyArray<Verdict>, BenchError> => {
  const { patterns, rounds, size } = machine.settings
  const path = machine.file("tmpfs", "ram")
  const target = machine.file("disk", "image")
  const scratch = machine.file("tmpfs", "scratch")
  return Effect.gen(function* () {
    const verdicts: Array<Verdict> = []
    for (const pattern of patterns) {
      const ram = makeRam(path, pattern, size)
      for (const store of ["memory", "file"] as const) {
        const { prepare } = Ours.save(ram, { store, target, scratch })
        const once = Effect.scoped(Effect.flatMap(prepare, (go) => Effect.andThen(machine.settle("disk"), go(false))))
        const delays = (yield* Effect.all(Array.from({ length: rounds }, () => once))).map(({ delay }) => delay!)
        for (const name of ["p99", "max"] as const) {
          const found = median(delays.map((delay) => delay[name]))
          verdicts.push(atMost(`event-loop delay, ${name}: save from ${store}: ${pattern}`, found, LIMITS[name], "ms"))
        }
      }
      Fs.rmSync(path)
    }
    return verdicts
  }).pipe(Effect.ensuring(Effect.sync(() => [path, target].forEach((file) => Fs.rmSync(file, { force: true })))))
}
