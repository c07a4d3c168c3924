/**
 * What is measured, and where: taken from the environment.
 *
 *     BENCH_MIB=1024                MiB of RAM
 *     BENCH_ROUNDS=5                rounds of which the median is taken
 *     BENCH_PATTERNS=random,half-zero,alternating,zero
 *     BENCH_PLACES=tmpfs,disk       where images lie in saves and restores
 *     BENCH_PARTS=save,restore,sockets,resident,open,delay,seal
 *     BENCH_DISK=…                  a folder on a real disk; default: the system's folder for temporary files
 *     BENCH_TMPFS=/dev/shm          a folder on a tmpfs: RAM lies there, too
 *     BENCH_SPARSE_GIB=8            GiB of the sparse block whose save and restore must not take memory
 *     BENCH_REPORT=docs/internals/benchmarks.md   where the report goes; nowhere when it is empty
 */
import * as Config from "effect/Config"
import * as Os from "node:os"
import * as Path from "node:path"
import type { Pattern } from "../support/qemu/pattern.ts"
import type { Place } from "./cell.ts"

const places = ["tmpfs", "disk"] as const satisfies ReadonlyArray<Place>
const patterns = ["random", "half-zero", "alternating", "zero"] as const satisfies ReadonlyArray<Pattern>
const parts = ["save", "restore", "sockets", "resident", "open", "start", "delay", "seal"] as const

/** A part of the benchmark. */
export type Part = (typeof parts)[number]

const MIB = 1024 * 1024

const list = <A extends string>(name: string, all: ReadonlyArray<A>): Config.Config<ReadonlyArray<A>> =>
  Config.String(name).pipe(
    Config.map((text) => all.filter((item) => text.split(",").includes(item))),
    Config.withDefault(all)
  )

const number = (name: string, fallback: number): Config.Config<number> =>
  Config.Int(name).pipe(Config.withDefault(fallback))

const text = (name: string, fallback: string): Config.Config<string> =>
  Config.String(name).pipe(Config.withDefault(fallback))

/** The settings. */
export const settings = Config.all({
  /** Bytes of RAM. */
  size: Config.map(number("BENCH_MIB", 1024), (mib) => mib * MIB),
  rounds: number("BENCH_ROUNDS", 5),
  patterns: list("BENCH_PATTERNS", patterns),
  places: list("BENCH_PLACES", places),
  parts: list("BENCH_PARTS", parts),
  disk: text("BENCH_DISK", Os.tmpdir()),
  tmpfs: text("BENCH_TMPFS", "/dev/shm"),
  /** Bytes of the sparse block. */
  sparse: Config.map(number("BENCH_SPARSE_GIB", 8), (gib) => gib * 1024 * MIB),
  report: text("BENCH_REPORT", Path.resolve(import.meta.dirname, "../../docs/internals/benchmarks.md"))
})

export type Settings = Config.Success<typeof settings>
