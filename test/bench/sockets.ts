/**
 * Migrations over TCP within the machine: QEMU's own, with the project at either end or at both, and bare Node.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import type { Pattern } from "../support/qemu/pattern.ts"
import * as Bare from "./bare.ts"
import { type Cell, type SocketWork, title } from "./cell.ts"
import * as Ends from "./ends.ts"
import type { Machine } from "./machine.ts"
import * as Ours from "./ours.ts"
import { makeRam, type RamFile } from "./place.ts"
import * as Qemu from "./qemu.ts"
import { measure, type Variant } from "./variant.ts"
import type { BenchError } from "./worker.ts"

/** Compression is measured with RAM that is not random, and with less of it: it takes longer. */
const COMPRESSED = { patterns: ["text", "program"], part: 2 } as const

type Compressed = (typeof COMPRESSED.patterns)[number]

const isCompressed = (pattern: Pattern): pattern is Compressed =>
  COMPRESSED.patterns.some((compressed) => compressed === pattern)

const works = [
  { work: "migrate", channels: 2, compression: "none", pattern: "random" },
  { work: "migrate", channels: 8, compression: "none", pattern: "random" },
  { work: "migrate", channels: 2, compression: "none", pattern: "half-zero" },
  ...(["zstd", "zlib"] as const).flatMap((compression) =>
    COMPRESSED.patterns.map((pattern) => ({ work: "migrate", channels: 2, compression, pattern }) as const)
  )
] as const satisfies ReadonlyArray<SocketWork>

/** The files of one cell, all on tmpfs. */
interface Paths {
  readonly image: string
  readonly target: string
  readonly scratch: string
}

const variantsOf = (work: SocketWork, ram: RamFile, { image, scratch, target }: Paths): ReadonlyArray<Variant> => {
  const qemu = { source: Qemu.source(ram, work), target: Qemu.target(ram, target, work) }
  const ours = { source: Ours.source(image, scratch, work), target: Ours.target(ram, target, scratch, work) }
  return [
    ...(work.compression === "none" ? [Bare.copy(ram, target, work.channels)] : []),
    Ends.variant(Ends.QEMU_TO_QEMU, "qemu", qemu.source, qemu.target),
    Ends.variant(Ends.QEMU_TO_OURS, "ours", qemu.source, ours.target),
    Ends.variant(Ends.OURS_TO_QEMU, "ours", ours.source, qemu.target),
    Ends.variant(Ends.OURS_TO_OURS, "ours", ours.source, ours.target)
  ]
}

const one = (machine: Machine, work: SocketWork): Effect.Effect<Cell, BenchError> => {
  const file = (name: string) => machine.file("tmpfs", name)
  const paths = { image: file("image"), target: file("target"), scratch: file("scratch") }
  const { rounds, size } = machine.settings
  return Effect.gen(function* () {
    yield* Effect.logInfo(title(work))
    const ram = makeRam(file("ram"), work.pattern, isCompressed(work.pattern) ? size / COMPRESSED.part : size)
    yield* Qemu.makeImage(ram, paths.image)
    const measured = yield* measure(variantsOf(work, ram, paths), { rounds, settle: machine.settle("tmpfs") })
    return { work, size: ram.size, measured }
  }).pipe(
    Effect.ensuring(
      Effect.sync(() => [file("ram"), paths.image, paths.target].forEach((path) => Fs.rmSync(path, { force: true })))
    )
  )
}

/** All migrations; each table is handed to `print` when it is there. */
export const run = (
  machine: Machine,
  print: (cell: Cell) => Effect.Effect<void>
): Effect.Effect<ReadonlyArray<Cell>, BenchError> =>
  Effect.forEach(
    works.filter(({ pattern }) => isCompressed(pattern) || machine.settings.patterns.includes(pattern)),
    (work) => Effect.tap(one(machine, work), print)
  )
