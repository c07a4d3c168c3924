/**
 * Restores: QEMU's image of each pattern, in the page cache, into a new shared-memory file and into fresh private memory.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import type { Pattern } from "../support/qemu/pattern.ts"
import { MAIN_BLOCK } from "../support/qemu/guest.ts"
import { type Cell, type Place, title } from "./cell.ts"
import * as CLimit from "./cLimit.ts"
import type { Machine } from "./machine.ts"
import * as Ours from "./ours.ts"
import { find, type ImagePlace, makeRam, type RamFile } from "./place.ts"
import * as Qemu from "./qemu.ts"
import { measure, type Variant } from "./variant.ts"
import type { BenchError } from "./worker.ts"

/** QEMU is as good as the best of these. */
const CHANNELS = [1, 2, 4]

const works = ["restore into a shared-memory file", "restore into private memory"] as const
type Work = (typeof works)[number]

const how = {
  "restore into a shared-memory file": { limits: ["file"], qemu: "file", stores: ["file", "plain"] },
  "restore into private memory": {
    limits: ["4k", "huge"],
    qemu: "private",
    stores: ["memory", "huge", "shared", "huge shared"]
  }
} as const

const variantsOf = (machine: Machine, ram: RamFile, image: ImagePlace, work: Work): ReadonlyArray<Variant> => {
  const target = machine.file("tmpfs", "target")
  const scratch = machine.file("tmpfs", "scratch")
  const { limits, qemu, stores } = how[work]
  return [
    ...limits.map((memory) => CLimit.restore(machine.limit, { ram, image, memory, target })),
    ...CHANNELS.map((channels) => Qemu.load(ram, image, { memory: qemu, target, channels })),
    ...stores.map((store) => Ours.restore(ram, image, { store, target, scratch }))
  ]
}

const cellsOf = (
  machine: Machine,
  place: Place,
  pattern: Pattern,
  print: (cell: Cell) => Effect.Effect<void>
): Effect.Effect<ReadonlyArray<Cell>, BenchError> =>
  Effect.gen(function* () {
    const ram = makeRam(machine.file("tmpfs", "ram"), pattern, machine.settings.size)
    const path = machine.file(place, "image")
    yield* Qemu.makeImage(ram, path)
    const image = yield* find(path, MAIN_BLOCK, ram.size)
    const cells: Array<Cell> = []
    for (const work of works) {
      yield* Effect.logInfo(title({ work, place, pattern }))
      const variants = variantsOf(machine, ram, image, work)
      const measured = yield* measure(variants, { rounds: machine.settings.rounds, settle: machine.settle("tmpfs") })
      const cell: Cell = { work: { work, place, pattern }, size: ram.size, measured }
      cells.push(cell)
      yield* print(cell)
    }
    return cells
  }).pipe(
    Effect.ensuring(
      Effect.sync(() => {
        const files = [machine.file("tmpfs", "ram"), machine.file("tmpfs", "target"), machine.file(place, "image")]
        for (const file of files) Fs.rmSync(file, { force: true })
      })
    )
  )

/** All restores; each table is handed to `print` when it is there. RAM that is all zero has nothing to restore. */
export const run = (
  machine: Machine,
  print: (cell: Cell) => Effect.Effect<void>
): Effect.Effect<ReadonlyArray<Cell>, BenchError> =>
  Effect.gen(function* () {
    const cells: Array<Cell> = []
    for (const pattern of machine.settings.patterns.filter((pattern) => pattern !== "zero"))
      for (const place of machine.settings.places) cells.push(...(yield* cellsOf(machine, place, pattern, print)))
    return cells
  })
