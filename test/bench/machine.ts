/**
 * What all measurements share: folders, the compiled program, and a machine that is brought into the same state.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Workspace from "../support/qemu/workspace.ts"
import type { Place } from "./cell.ts"
import * as CLimit from "./cLimit.ts"
import type { Settings } from "./settings.ts"
import { BenchError } from "./worker.ts"

export interface Machine {
  readonly settings: Settings
  /** The compiled `limit.c`. */
  readonly limit: string
  /** The path of a file in a place. */
  readonly file: (place: Place, name: string) => string
  /** Nothing is left to be written, and the pages that a file in `place` takes next are not the host's, nor on their way there. */
  readonly settle: (place: Place) => Effect.Effect<void, BenchError>
}

const syncAll: Effect.Effect<void, BenchError> = Effect.callback((resume) => {
  ChildProcess.execFile("sync", (error) =>
    resume(error === null ? Effect.void : Effect.fail(new BenchError({ reason: error.message })))
  )
})

/** Memory that one measurement takes at most, in sizes of RAM: an image or a target in memory, and the RAM itself. */
const WARM_SIZES = 2

/** Memory that lies ready throughout, in sizes of RAM: the RAM, its images, and all that one measurement after the other takes. */
const KEPT_SIZES = 8

const PIECE = Buffer.alloc(1024 * 1024, 1)

/** Takes pages for a file and gives them back: the next file of its kind gets the same ones. */
const warmFile = (path: string, size: number) =>
  Effect.sync(() => {
    const fd = Fs.openSync(path, "w")
    for (let at = 0; at < size; at += PIECE.length) Fs.writeSync(fd, PIECE)
    Fs.closeSync(fd)
    Fs.rmSync(path)
  })

/**
 * A kernel that gives free memory to its host does so 2 s after some was freed, and then with all that is free. When that is
 * over, memory that is freed stays for another 2 s, which is longer than a measurement.
 */
const REPORTING = "2500 millis"

export const make = (settings: Settings): Effect.Effect<Machine, BenchError, Scope.Scope> =>
  Effect.gen(function* () {
    const folders = {
      tmpfs: yield* Workspace.directory(settings.tmpfs),
      disk: yield* Workspace.directory(settings.disk)
    }
    const limit = yield* CLimit.compile
    const kept = Math.min(KEPT_SIZES * settings.size, Os.freemem() / 4)
    yield* CLimit.fragment(limit, Path.join(folders.tmpfs, "kept"), Math.floor(kept))
    return {
      settings,
      limit,
      file: (place, name) => Path.join(folders[place], name),
      settle: (place) =>
        syncAll.pipe(
          Effect.andThen(Effect.sleep(REPORTING)),
          Effect.andThen(CLimit.warm(limit, WARM_SIZES * settings.size)),
          Effect.andThen(warmFile(Path.join(folders[place], "warm"), WARM_SIZES * settings.size))
        )
    }
  })
