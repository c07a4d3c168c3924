/**
 * Saves and restores, as the project's process does them.
 */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as FilePages from "../../src/io/files/FilePages.ts"
import * as Lanes from "../../src/lanes/Lanes.ts"
import * as Image from "../../src/image/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import type { FileJob } from "./job.ts"

const MIB = 1024 * 1024
const WARM_UPS = 6

const readFile = (path: string, allocate = (size: number): Uint8Array => new Uint8Array(size)): Uint8Array => {
  const fd = Fs.openSync(path, "r")
  const bytes = allocate(Fs.fstatSync(fd).size)
  for (let at = 0; at < bytes.length; at += MIB) Fs.readSync(fd, bytes, at, Math.min(MIB, bytes.length - at), at)
  Fs.closeSync(fd)
  return bytes
}

const allocate = ({ store }: FileJob, size: number): Uint8Array =>
  store === "shared" ? new Uint8Array(new SharedArrayBuffer(size)) : new Uint8Array(size)

const withLanes =
  (job: FileJob) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    job.lanes ? self : Effect.provideService(self, Lanes.Lanes, undefined)

const isEqual = (bytes: Uint8Array, path: string): boolean => Buffer.compare(bytes, readFile(path)) === 0

/** Everything but what is measured: memory that is full, or an effect that makes it. */
export const prepare = Effect.fnUntraced(function* (job: FileJob) {
  const { save, restore } = yield* Migration.Migration
  const { idstr } = job
  if (job.kind === "save") {
    const block =
      job.store === "file"
        ? yield* FilePages.make({ idstr, path: job.ram, access: "read" })
        : yield* MemoryPages.make({ idstr, memory: readFile(job.ram, (size) => allocate(job, size)) })
    const run = save({ target: job.target, blocks: [block], seal: job.sealed && {} })
    return { run: withLanes(job)(run), isEqual: () => true }
  }
  let memory: Uint8Array = new Uint8Array(0)
  const makeBlock =
    job.store === "file"
      ? FilePages.make({ idstr, path: job.target, length: job.size, access: "read-write" })
      : Effect.suspend(() => MemoryPages.make({ idstr, memory: (memory = allocate(job, job.size)), fresh: true }))
  const run = Effect.gen(function* () {
    const image = yield* Image.open(job.image)
    return yield* restore({ source: image, blocks: [yield* makeBlock] })
  })
  return {
    run: withLanes(job)(Effect.scoped(run)),
    isEqual: (path: string) => job.store === "file" || isEqual(memory, path)
  }
})

/** A service has been running for a while: its code is compiled. Saves, opens and restores a few times. */
export const warmUp = Effect.fnUntraced(function* (job: FileJob) {
  const { save, restore } = yield* Migration.Migration
  const memory = new Uint8Array(job.lanes ? new SharedArrayBuffer(64 * MIB) : new ArrayBuffer(64 * MIB))
  for (let at = 0; at < memory.length; at += 3 * 4096) memory[at] = 1
  const block = yield* MemoryPages.make({ idstr: job.idstr, memory })
  for (let i = 0; i < WARM_UPS; i++) {
    yield* save({ target: job.scratch, blocks: [block] })
    yield* Effect.scoped(
      Effect.flatMap(Image.open(job.scratch), (image) => restore({ source: image, blocks: [block] }))
    )
    if (job.kind === "restore") yield* Effect.scoped(Image.open(job.image))
  }
  Fs.rmSync(job.scratch)
})
