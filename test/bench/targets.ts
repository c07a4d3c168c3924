/**
 * What the project set out to reach, and whether it did.
 */
import * as Cell from "./cell.ts"
import { nameOf, type Store } from "./ours.ts"

/** One target and what was found. */
export interface Verdict {
  readonly what: string
  readonly wanted: string
  readonly found: string
  readonly met: boolean
  /** By how much it was missed; empty when it was met. */
  readonly missed: string
}

interface Ratio {
  readonly work: Cell.Cell["work"]
  readonly place: Cell.Place
  readonly pattern: Cell.Cell["pattern"]
  readonly store: Store
  readonly of: "limit" | "qemu"
  readonly atLeast: number
}

const save = (
  place: Cell.Place,
  pattern: Cell.Cell["pattern"],
  of: Ratio["of"],
  atLeast: number
): ReadonlyArray<Ratio> => [{ work: "save", place, pattern, store: "memory", of, atLeast }]

const restore = (work: Ratio["work"], store: Store, atLeast: number): ReadonlyArray<Ratio> =>
  (["tmpfs", "disk"] as const).map((place) => ({ work, place, pattern: "random", store, of: "qemu", atLeast }))

/** How many times as fast as the best of the others. */
const ratios: ReadonlyArray<Ratio> = [
  save("disk", "random", "qemu", 1.4),
  save("disk", "random", "limit", 0.92),
  save("disk", "half-zero", "qemu", 1.7),
  save("disk", "alternating", "qemu", 3.5),
  save("tmpfs", "random", "qemu", 1),
  save("tmpfs", "random", "limit", 0.9),
  save("tmpfs", "half-zero", "qemu", 1),
  save("tmpfs", "alternating", "qemu", 0.9),
  save("tmpfs", "zero", "qemu", 1),
  restore("restore into a shared-memory file", "file", 1.2),
  restore("restore into private memory", "huge", 0.95)
].flat()

const percent = (part: number): string => `${(part * 100).toFixed(0)} %`

const judgeRatio = (target: Ratio, cell: Cell.Cell): Verdict => {
  const ours = cell.measured.find(({ variant }) => variant.name === nameOf(target.store))!
  const found = Cell.best(cell, target.of).median / ours.median
  const met = found >= target.atLeast
  return {
    what: Cell.title(cell),
    wanted: `≥ ${target.atLeast.toFixed(2)} × ${target.of === "qemu" ? "QEMU" : "the C limit"}`,
    found: `${found.toFixed(2)} ×`,
    met,
    missed: met ? "" : percent(1 - found / target.atLeast)
  }
}

/** The verdicts on the cells that were measured. */
export const judge = (cells: ReadonlyArray<Cell.Cell>): ReadonlyArray<Verdict> =>
  ratios.flatMap((target) => {
    const { pattern, place, work } = target
    const cell = cells.find((cell) => cell.work === work && cell.place === place && cell.pattern === pattern)
    return cell === undefined ? [] : [judgeRatio(target, cell)]
  })

/** The verdict on a number that has a limit. */
export const atMost = (what: string, found: number, limit: number, unit: string): Verdict => {
  const met = found <= limit
  return {
    what,
    wanted: `≤ ${limit} ${unit}`,
    found: `${found.toFixed(found < 100 ? 1 : 0)} ${unit}`,
    met,
    missed: met ? "" : percent(found / limit - 1)
  }
}
