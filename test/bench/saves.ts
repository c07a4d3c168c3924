/**
 * Saves: RAM of each pattern to an image on tmpfs and on disk, durable.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import type { Pattern } from "../support/qemu/pattern.ts"
import { type Cell, type Place, title } from "./cell.ts"
import * as CLimit from "./cLimit.ts"
import type { Machine } from "./machine.ts"
import * as Ours from "./ours.ts"
import { makeRam, type RamFile } from "./place.ts"
import * as Qemu from "./qemu.ts"
import { measure, type Variant } from "./variant.ts"
import type { BenchError } from "./worker.ts"

/** QEMU is as good as the best of these. */
const CHANNELS = [1, 2, 4]

/** Zero pages up to which one larger write costs less than two. */
const GAPS: Record<Place, number> = { tmpfs: 1, disk: 7 }

const limits = (machine: Machine, ram: RamFile, place: Place, target: string): ReadonlyArray<Variant> =>
  (place === "disk" ? (["overlap", "end"] as const) : (["end"] as const)).map((sync) =>
    CLimit.save(machine.limit, { ram, target, gap: GAPS[place], sync })
  )

/** Without checksums, as the others have none; `seal.ts` says what those cost. */
const one = (machine: Machine, ram: RamFile, place: Place, pattern: Pattern): Effect.Effect<Cell, BenchError> => {
  const target = machine.file(place, "image")
  const scratch = machine.file("tmpfs", "scratch")
  const variants = [
    ...limits(machine, ram, place, target),
    ...CHANNELS.map((channels) => Qemu.save(ram, target, channels)),
    ...(["memory", "shared", "file", "plain"] as const).map((store) =>
      Ours.save(ram, { store, target, scratch, sealed: false })
    )
  ]
  return measure(variants, { rounds: machine.settings.rounds, settle: machine.settle(place) }).pipe(
    Effect.map((measured) => ({ work: { work: "save" as const, place, pattern }, size: ram.size, measured })),
    Effect.ensuring(Effect.sync(() => Fs.rmSync(target, { force: true })))
  )
}

/** All saves; each table is handed to `print` when it is there. */
export const run = (
  machine: Machine,
  print: (cell: Cell) => Effect.Effect<void>
): Effect.Effect<ReadonlyArray<Cell>, BenchError> =>
  Effect.gen(function* () {
    const cells: Array<Cell> = []
    for (const pattern of machine.settings.patterns) {
      const ram = makeRam(machine.file("tmpfs", "ram"), pattern, machine.settings.size)
      for (const place of machine.settings.places) {
        yield* Effect.logInfo(title({ work: "save", place, pattern }))
        const cell = yield* one(machine, ram, place, pattern)
        cells.push(cell)
        yield* print(cell)
      }
      Fs.rmSync(ram.path)
    }
    return cells
  })
