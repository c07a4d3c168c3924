/**
 * Private directories for the files of a test or a benchmark.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

/** Linux's shared memory: guest RAM is kept there, so that nothing of it waits for a disk. */
const SHARED_MEMORY = "/dev/shm"

/** A directory that is removed, with everything in it, when its scope closes. */
export const directory = (parent: string = Os.tmpdir()): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => Fs.realpathSync(Fs.mkdtempSync(Path.join(parent, "multifd-")))),
    (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
  )

/** Where the files of one test live. */
export interface Workspace {
  /** The path of a file in the system's temporary directory: images, and everything that should meet a real disk. */
  readonly file: (name: string) => string
  /** The path of a file in shared memory where the machine has it: guest RAM. */
  readonly ram: (name: string) => string
}

/** A workspace whose directories are removed when the scope closes. */
export const make: Effect.Effect<Workspace, never, Scope.Scope> = Effect.gen(function* () {
  const onDisk = yield* directory()
  const inMemory = Fs.existsSync(SHARED_MEMORY) ? yield* directory(SHARED_MEMORY) : onDisk
  return { file: (name) => Path.join(onDisk, name), ram: (name) => Path.join(inMemory, name) }
})
