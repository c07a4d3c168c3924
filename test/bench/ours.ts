/**
 * This project, each measurement in a process of its own.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { MAIN_BLOCK } from "../support/qemu/guest.ts"
import type * as Ends from "./ends.ts"
import type { Job } from "./job.ts"
import { checkImage, type ImagePlace, type RamFile } from "./place.ts"
import type { Variant } from "./variant.ts"
import * as Worker from "./worker.ts"

const PROGRAM = Path.join(import.meta.dirname, "oursWorker.ts")

/** Makes glibc ask for huge pages for memory that it maps: what an application sets that restores into its memory. */
const HUGE_PAGES = { GLIBC_TUNABLES: "glibc.malloc.hugetlb=1" }

/**
 * Where the pages lie: process memory, process memory with huge pages, memory that threads share, with huge pages or without, or a
 * file. `plain`: a file, and no lanes, which is the way of everything that lanes cannot do.
 */
export type Store = "memory" | "huge" | "shared" | "huge shared" | "file" | "plain"

const names: Record<Store, string> = {
  memory: "effect-multifd, memory",
  huge: "effect-multifd, memory, huge pages",
  shared: "effect-multifd, shared memory",
  "huge shared": "effect-multifd, shared memory, huge pages",
  file: "effect-multifd, file",
  plain: "effect-multifd, file, without lanes"
}

/** The name of the variant of a store. */
export const nameOf = (store: Store): string => names[store]

/** Starts a process that is ready to do one job. */
export const start = (
  job: Job,
  environment: Readonly<Record<string, string>> = {}
): Effect.Effect<Worker.Worker, Worker.BenchError, Scope.Scope> =>
  Effect.suspend(() => {
    if ("target" in job) Fs.rmSync(job.target, { force: true })
    return Worker.startNode([PROGRAM, JSON.stringify(job)], environment)
  })

/** What a variant works with. */
export interface Options {
  readonly store: Store
  readonly target: string
  /** A path on a tmpfs for the warm-up. */
  readonly scratch: string
}

const isFile = (store: Store): boolean => store === "file" || store === "plain"
const isShared = (store: Store): boolean => store === "shared" || store === "huge shared"

const common = ({ scratch, store, target }: Options) => ({
  idstr: MAIN_BLOCK,
  store: isFile(store) ? ("file" as const) : isShared(store) ? ("shared" as const) : ("memory" as const),
  lanes: store !== "plain",
  target,
  scratch,
  warm: true
})

/** A save, with checksums unless told otherwise. */
export const save = (ram: RamFile, options: Options & { readonly sealed?: boolean }): Variant => ({
  name: nameOf(options.store),
  of: "ours",
  prepare: Effect.map(
    start({ kind: "save", ram: ram.path, sealed: options.sealed ?? true, ...common(options) }),
    (worker) => (check) =>
      Effect.tap(worker.run(), () => (check ? checkImage(ram, options.target, MAIN_BLOCK) : Effect.void))
  )
})

/** A restore. */
export const restore = (ram: RamFile, image: ImagePlace, options: Options): Variant => ({
  name: nameOf(options.store),
  of: "ours",
  prepare: Effect.map(
    start(
      { kind: "restore", image: image.path, size: ram.size, ...common(options) },
      options.store === "huge" || options.store === "huge shared" ? HUGE_PAGES : {}
    ),
    (worker) => (check) =>
      Effect.tap(worker.run(check ? ram.path : ""), () =>
        check && isFile(options.store) ? ram.compare(options.target, 0) : Effect.void
      )
  )
})

const migration = (scratch: string, { channels, compression }: Ends.Agreement) => ({
  channels,
  compression,
  warm: true,
  scratch
})

/** Sends an image. */
export const source =
  (image: string, scratch: string, agreement: Ends.Agreement): Ends.Source =>
  (to) =>
    Effect.map(start({ kind: "send", image, to, ...migration(scratch, agreement) }), ({ run }) => run())

/** Receives into a new image. */
export const target = (ram: RamFile, target: string, scratch: string, agreement: Ends.Agreement): Ends.Target => ({
  listen: Effect.map(start({ kind: "receive", target, ...migration(scratch, agreement) }), ({ run, told }) => ({
    uri: told,
    done: run()
  })),
  check: checkImage(ram, target, MAIN_BLOCK)
})
