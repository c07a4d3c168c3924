/**
 * The C program of `limit.c` as variants: what the machine can do at best.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { promisify } from "node:util"
import * as Workspace from "../support/qemu/workspace.ts"
import type { ImagePlace, RamFile } from "./place.ts"
import type { Variant } from "./variant.ts"
import * as Worker from "./worker.ts"

const execFile = promisify(ChildProcess.execFile)

const SOURCE = Path.join(import.meta.dirname, "limit.c")

const THREADS = Os.availableParallelism()

const run = (program: string, ...args: ReadonlyArray<string>): Effect.Effect<void, Worker.BenchError> =>
  Effect.tryPromise({
    try: () => execFile(program, args),
    catch: (cause) => new Worker.BenchError({ reason: `${program}: ${String(cause)}` })
  })

/** Compiles the program; it is gone when the scope closes. */
export const compile: Effect.Effect<string, Worker.BenchError, Scope.Scope> = Effect.gen(function* () {
  const program = Path.join(yield* Workspace.directory(Os.tmpdir()), "limit")
  yield* run(process.env["CC"] ?? "cc", "-O3", "-std=c11", "-pthread", "-o", program, SOURCE)
  return program
})

/** Takes as many bytes from a host that lends memory, so that whoever needs memory next does not wait for the host. */
export const warm = (program: string, bytes: number): Effect.Effect<void, Worker.BenchError> =>
  run(program, "warm", String(bytes))

/** Takes as many bytes from the host in pieces that the kernel does not give back to it as long as `file`, on a tmpfs, is there. */
export const fragment = (program: string, file: string, bytes: number): Effect.Effect<void, Worker.BenchError> =>
  run(program, "fragment", file, String(bytes))

/** A save of RAM to a new file, with runs merged across as many zero pages; `sync` says when it is made durable. */
export const save = (
  program: string,
  options: { readonly ram: RamFile; readonly target: string; readonly gap: number; readonly sync: "overlap" | "end" }
): Variant => ({
  name: options.sync === "overlap" ? "C, sync overlapped" : "C, one sync at the end",
  of: "limit",
  prepare: Effect.map(
    Worker.start(program, [
      "save",
      options.ram.path,
      options.target,
      String(THREADS),
      String(options.gap),
      options.sync
    ]),
    (worker) => (check) =>
      Effect.tap(worker.run(), () => (check ? options.ram.compare(options.target, IMAGE_PAGES) : Effect.void))
  )
})

/** Where `limit.c` puts page 0. */
const IMAGE_PAGES = 1024 * 1024

/** Where a restore puts the pages. */
export type Memory = "4k" | "huge" | "file"

const names: Record<Memory, string> = {
  "4k": "C, 4 KiB pages",
  huge: "C, huge pages",
  file: "C"
}

/** A restore from an image, into fresh memory or a new file. */
export const restore = (
  program: string,
  options: { readonly ram: RamFile; readonly image: ImagePlace; readonly memory: Memory; readonly target: string }
): Variant => ({
  name: names[options.memory],
  of: "limit",
  prepare: Effect.gen(function* () {
    Fs.rmSync(options.target, { force: true })
    const { bitmapOffset, pagesOffset, path } = options.image
    const place = [path, bitmapOffset, pagesOffset, options.ram.size, THREADS, options.memory, options.target]
    const worker = yield* Worker.start(program, ["restore", ...place.map(String)])
    return (check) => worker.run(check ? options.ram.path : "")
  })
})
