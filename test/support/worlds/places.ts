/**
 * Where tests of files run: in a directory of the real disk, and on a disk in memory, with the same assertions.
 */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { type Calls, FileCalls, node, type Stat } from "../../../src/io/files/FileCalls.ts"
import * as FaultyFiles from "../../../src/testing/FaultyFiles.ts"
import * as MemoryDisk from "../../../src/testing/MemoryDisk.ts"
import * as Workspace from "../qemu/workspace.ts"

/** A directory and the test's own way to it. Names are relative to the directory. */
export interface Place {
  readonly kind: "real" | "memory"
  readonly calls: Calls
  readonly path: (name: string) => string
  /** Everything that is there but directories, sorted. */
  readonly files: () => ReadonlyArray<string>
  readonly read: (name: string) => Uint8Array | undefined
  readonly stat: (name: string) => Stat | undefined
  readonly write: (name: string, content: Uint8Array, mode?: number) => void
  readonly link: (name: string, target: string) => void
  readonly fifo: (name: string) => void
  readonly directory: (name: string) => void
}

const realPlace = (directory: string): Place => {
  const path = (name: string) => Path.join(directory, name)
  return {
    kind: "real",
    calls: node,
    path,
    files: () =>
      Fs.readdirSync(directory, { recursive: true, withFileTypes: true })
        .filter((entry) => !entry.isDirectory())
        .map((entry) => Path.relative(directory, Path.join(entry.parentPath, entry.name)))
        .toSorted(),
    read: (name) => (Fs.existsSync(path(name)) ? new Uint8Array(Fs.readFileSync(path(name))) : undefined),
    stat: (name) => Fs.statSync(path(name), { throwIfNoEntry: false }),
    write: (name, content, mode = 0o600) => {
      Fs.mkdirSync(Path.dirname(path(name)), { recursive: true })
      Fs.writeFileSync(path(name), content)
      Fs.chmodSync(path(name), mode)
    },
    link: (name, target) => Fs.symlinkSync(target, path(name)),
    fifo: (name) => void ChildProcess.execFileSync("mkfifo", [path(name)]),
    directory: (name) => Fs.mkdirSync(path(name))
  }
}

const memoryDirectory = "/place"
const memoryPath = (name: string): string => Path.join(memoryDirectory, name)

const memoryPlace = (disk: MemoryDisk.MemoryDisk): Place => {
  disk.special(memoryDirectory, "directory")
  return {
    kind: "memory",
    calls: disk.calls,
    path: memoryPath,
    files: () => disk.files().map((file) => Path.relative(memoryDirectory, file)),
    read: (name) => disk.read(memoryPath(name)),
    stat: (name) => disk.stat(memoryPath(name)),
    write: (name, content, mode) => disk.write(memoryPath(name), content, { mode }),
    link: (name, target) => disk.link(memoryPath(name), target),
    fifo: (name) => disk.special(memoryPath(name), "fifo"),
    directory: (name) => disk.special(memoryPath(name), "directory")
  }
}

/** A new directory below `parent`, removed at the end of the scope. */
export const real = (parent: string = Os.tmpdir()): Effect.Effect<Place, never, Scope.Scope> =>
  Workspace.directory(parent).pipe(Effect.map(realPlace))

export const memory = (options?: MemoryDisk.Options): Effect.Effect<Place> =>
  Effect.sync(() => memoryPlace(MemoryDisk.make(options)))

/** Runs an effect on a place, with faults; the descriptors that it left open are an error of the test. */
export const withFaults = <A, E, R>(
  place: Place,
  plan: FaultyFiles.Plan,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const files = FaultyFiles.make(plan, place.calls)
    return effect.pipe(
      Effect.provideService(FileCalls, files.calls),
      Effect.onExit(() => {
        const leaks = files.openFiles()
        return leaks.length === 0 ? Effect.void : Effect.die(new Error(`left open: ${leaks.join(", ")}`))
      })
    )
  })

/** The number of calls that an effect makes on a place. */
export const countCalls = <A, E, R>(place: Place, effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    const files = FaultyFiles.make(FaultyFiles.none, place.calls)
    return Effect.as(Effect.provideService(effect, FileCalls, files.calls), files).pipe(
      Effect.map(({ log }) => log().length)
    )
  })

/** One test on the real disk, and the same on disks in memory with several orders of completion. */
export const onEveryPlace = <E>(name: string, test: (place: Place) => Effect.Effect<void, E, Scope.Scope>): void => {
  const run = (make: Effect.Effect<Place, never, Scope.Scope>) =>
    Effect.flatMap(make, (place) => withFaults(place, FaultyFiles.none, Effect.scoped(test(place))))
  it.effect(`${name} (real disk)`, () => run(real()))
  it.effect(`${name} (memory)`, () => run(memory()))
  it.effect.each([1, 2, 3])(`${name} (memory, order %i)`, (seed) => run(memory({ seed })))
}
