/**
 * What the project set out to reach, and whether it did.
 */
import type { Method } from "../../src/compression/Compression.ts"
import type { Pattern } from "../support/qemu/pattern.ts"
import * as Cell from "./cell.ts"
import * as Ends from "./ends.ts"
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
  readonly work: Cell.Work
  /** The name of the variant. */
  readonly ours: string
  readonly of: "limit" | "qemu"
  readonly atLeast: number
}

const save = (place: Cell.Place, pattern: Pattern, of: Ratio["of"], atLeast: number): ReadonlyArray<Ratio> => [
  { work: { work: "save", place, pattern }, ours: nameOf("memory"), of, atLeast }
]

const restore = (work: Cell.FileWork["work"], store: Store, atLeast: number): ReadonlyArray<Ratio> =>
  (["tmpfs", "disk"] as const).map((place) => ({
    work: { work, place, pattern: "random" },
    ours: nameOf(store),
    of: "qemu",
    atLeast
  }))

const migrate = (
  work: Omit<Cell.SocketWork, "work">,
  ours: ReadonlyArray<string>,
  of: Ratio["of"],
  atLeast: number
): ReadonlyArray<Ratio> => ours.map((ours) => ({ work: { work: "migrate", ...work }, ours, of, atLeast }))

const plain = (channels: number) => ({ channels, compression: "none", pattern: "random" }) as const
const compressed = (compression: Method, pattern: Pattern) => ({ channels: 2, compression, pattern }) as const

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
  restore("restore into private memory", "huge", 0.95),
  migrate(plain(2), [Ends.QEMU_TO_OURS, Ends.OURS_TO_QEMU], "qemu", 0.95),
  migrate(plain(8), [Ends.QEMU_TO_OURS, Ends.OURS_TO_QEMU], "qemu", 0.95),
  migrate(plain(2), [Ends.OURS_TO_OURS], "limit", 0.85),
  migrate(plain(8), [Ends.OURS_TO_OURS], "limit", 0.85),
  ...(["text", "program"] as const).flatMap((pattern) => [
    migrate(compressed("zstd", pattern), [Ends.OURS_TO_QEMU, Ends.OURS_TO_OURS], "qemu", 0.9),
    migrate(compressed("zlib", pattern), [Ends.OURS_TO_QEMU, Ends.OURS_TO_OURS], "qemu", 1.2)
  ])
].flat()

/** Whom a variant is compared with. */
const others = {
  qemu: () => "QEMU",
  limit: (isMigration: boolean) => (isMigration ? "bare Node" : "the C limit")
}

const percent = (part: number): string => `${(part * 100).toFixed(0)} %`

const judgeRatio = (target: Ratio, cell: Cell.Cell): Verdict => {
  const ours = cell.measured.find(({ variant }) => variant.name === target.ours)!
  const other = Cell.best(cell, target.of)!
  const found = other.median / ours.median
  const met = found >= target.atLeast
  const isMigration = target.work.work === "migrate"
  return {
    what: isMigration ? `${Cell.title(target.work)}: ${target.ours}` : Cell.title(target.work),
    wanted: `≥ ${target.atLeast.toFixed(2)} × ${others[target.of](isMigration)}`,
    found: `${found.toFixed(2)} ×`,
    met,
    missed: met ? "" : percent(1 - found / target.atLeast)
  }
}

/** The verdicts on the cells that were measured. */
export const judge = (cells: ReadonlyArray<Cell.Cell>): ReadonlyArray<Verdict> =>
  ratios.flatMap((target) => {
    const cell = cells.find(({ work }) => Cell.title(work) === Cell.title(target.work))
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
