/**
 * A real QEMU with the same RAM.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Guest from "../support/qemu/guest.ts"
import * as Migrate from "../support/qemu/migrate.ts"
import * as Sockets from "../support/qemu/sockets.ts"
import type * as Ends from "./ends.ts"
import { checkImage, type ImagePlace, type RamFile } from "./place.ts"
import type { Variant } from "./variant.ts"
import { BenchError } from "./worker.ts"

const asBenchError = Effect.mapError((error: Error) => new BenchError({ reason: error.message }))

/** QEMU's memory is mapped before the save begins, as that of a guest that has run is. */
const PREALLOCATED = ["-mem-prealloc"]

const sync = (path: string): Effect.Effect<void> =>
  Effect.callback((resume) => {
    Fs.open(path, "r+", (error, fd) => {
      if (error !== null) return resume(Effect.die(error))
      Fs.fdatasync(fd, (error) => {
        Fs.closeSync(fd)
        resume(error === null ? Effect.void : Effect.die(error))
      })
    })
  })

/** Saves the RAM of a paused guest to a new image, once and untimed; fails unless it holds the RAM. */
export const makeImage = (ram: RamFile, target: string): Effect.Effect<void, BenchError> =>
  Effect.scoped(Effect.flatMap(save(ram, target, 2).prepare, (go) => go(true)))

/** A save over as many channels. QEMU never syncs: an fdatasync follows. */
export const save = (ram: RamFile, target: string, channels: number): Variant => ({
  name: `QEMU, ${channels} channel${channels === 1 ? "" : "s"}`,
  of: "qemu",
  prepare: Effect.gen(function* () {
    Fs.rmSync(target, { force: true })
    const guest = yield* Guest.start({ ram: { file: ram.path, size: ram.size }, args: PREALLOCATED })
    return (check: boolean) =>
      Effect.gen(function* () {
        const { milliseconds } = yield* Migrate.save(guest, { path: target, channels })
        const saved = performance.now()
        yield* sync(target)
        const syncing = performance.now() - saved
        if (check) yield* checkImage(ram, target, Guest.MAIN_BLOCK)
        return { total: milliseconds + syncing, phases: { ram: milliseconds, sync: syncing } }
      }).pipe(asBenchError)
  }).pipe(asBenchError)
})

/** Below 1 MiB the machine's own ROMs lie over RAM as a CPU sees it. */
const LOW_MEMORY = 1024 * 1024

/** Compares private memory of a guest, which is dumped as its CPU sees it. */
const compareMemory = (guest: Guest.Guest, ram: RamFile, dump: string) =>
  Effect.andThen(
    guest.qmp.execute("pmemsave", { val: 0, size: ram.size, filename: dump }),
    Effect.ensuring(
      Effect.suspend(() => ram.compare(dump, 0, LOW_MEMORY)),
      Effect.sync(() => Fs.rmSync(dump, { force: true }))
    )
  )

/** A load of an image into a guest whose RAM is a new shared-memory file, or fresh private memory. */
export const load = (
  ram: RamFile,
  image: ImagePlace,
  options: { readonly memory: "file" | "private"; readonly target: string; readonly channels: number }
): Variant => ({
  name: `QEMU, ${options.channels} channel${options.channels === 1 ? "" : "s"}`,
  of: "qemu",
  prepare: Effect.gen(function* () {
    Fs.rmSync(options.target, { force: true })
    const file = options.memory === "file" ? options.target : undefined
    const guest = yield* Guest.start({ ram: { file, size: ram.size }, incoming: true })
    return (check: boolean) =>
      Effect.gen(function* () {
        const { milliseconds } = yield* Migrate.loadCompletely(guest, { path: image.path, channels: options.channels })
        if (check && file !== undefined) yield* ram.compare(file, 0)
        if (check && file === undefined) yield* compareMemory(guest, ram, options.target)
        return { total: milliseconds, phases: { ram: milliseconds } }
      }).pipe(asBenchError)
  }).pipe(asBenchError)
})

/** Methods that every build of QEMU has. */
const settingsOf = ({ channels, compression }: Ends.Agreement): Sockets.Options => {
  if (compression === "none" || compression === "zlib" || compression === "zstd") return { channels, compression }
  throw new Error(`QEMU is not asked for ${compression} here`)
}

/** Sends the RAM of a paused guest. */
export const source =
  (ram: RamFile, agreement: Ends.Agreement): Ends.Source =>
  (uri) =>
    Guest.start({ ram: { file: ram.path, size: ram.size }, args: PREALLOCATED }).pipe(
      Effect.map((guest) => asBenchError(Sockets.send(guest, uri, settingsOf(agreement)))),
      asBenchError
    )

/** Receives into a guest whose RAM is a new shared-memory file. */
export const target = (ram: RamFile, path: string, agreement: Ends.Agreement): Ends.Target => ({
  listen: Effect.gen(function* () {
    Fs.rmSync(path, { force: true })
    const guest = yield* Guest.start({ ram: { file: path, size: ram.size }, incoming: true })
    const { loaded, uri } = yield* Sockets.listen(guest, "tcp:127.0.0.1:0", settingsOf(agreement))
    const done = Effect.filterOrFail(
      asBenchError(loaded),
      ({ status }) => status === "completed",
      ({ reason }) => new BenchError({ reason })
    )
    return { uri, done }
  }).pipe(asBenchError),
  check: ram.compare(path, 0)
})
