/**
 * The process in which the project does one save or restore: `node oursWorker.ts JOB`, with the protocol of `worker.ts`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs"
import * as PerfHooks from "node:perf_hooks"
import * as Readline from "node:readline"
import * as FilePages from "../../src/io/FilePages.ts"
import * as Image from "../../src/migration/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import { Job } from "./job.ts"
import type { Reply } from "./worker.ts"

const MIB = 1024 * 1024
const WARM_UPS = 6

const job = Schema.decodeUnknownSync(Schema.fromJsonString(Job))(process.argv[2])

const readFile = (path: string): Uint8Array => {
  const fd = Fs.openSync(path, "r")
  const bytes = new Uint8Array(Fs.fstatSync(fd).size)
  for (let at = 0; at < bytes.length; at += MIB) Fs.readSync(fd, bytes, at, Math.min(MIB, bytes.length - at), at)
  Fs.closeSync(fd)
  return bytes
}

const isEqual = (bytes: Uint8Array, path: string): boolean => Buffer.compare(bytes, readFile(path)) === 0

/** Everything but what is measured: memory that is full, or an effect that makes it. */
const prepare = Effect.gen(function* () {
  const { save, restore } = yield* Migration.Migration
  const { idstr } = job
  if (job.kind === "save") {
    const block =
      job.store === "file"
        ? yield* FilePages.make({ idstr, path: job.ram, access: "read" })
        : yield* MemoryPages.make({ idstr, memory: readFile(job.ram) })
    return { run: save({ target: job.target, blocks: [block] }), isEqual: () => true }
  }
  let memory = new Uint8Array(0)
  const makeBlock =
    job.store === "file"
      ? FilePages.make({ idstr, path: job.target, length: job.size, access: "read-write" })
      : Effect.suspend(() => MemoryPages.make({ idstr, memory: (memory = new Uint8Array(job.size)), fresh: true }))
  const run = Effect.gen(function* () {
    const image = yield* Image.open(job.image)
    return yield* restore({ image, blocks: [yield* makeBlock] })
  })
  return { run: Effect.scoped(run), isEqual: (path: string) => job.store === "file" || isEqual(memory, path) }
})

/** A service has been running for a while: its code is compiled. Saves, opens and restores a few times. */
const warmUp = Effect.gen(function* () {
  const { save, restore } = yield* Migration.Migration
  const memory = new Uint8Array(32 * MIB)
  for (let at = 0; at < memory.length; at += 3 * 4096) memory[at] = 1
  const block = yield* MemoryPages.make({ idstr: job.idstr, memory })
  for (let i = 0; i < WARM_UPS; i++) {
    yield* save({ target: job.scratch, blocks: [block] })
    yield* Effect.scoped(Effect.flatMap(Image.open(job.scratch), (image) => restore({ image, blocks: [block] })))
    if (job.kind === "restore") yield* Effect.scoped(Image.open(job.image))
  }
  Fs.rmSync(job.scratch)
})

const firstLine: Effect.Effect<string> = Effect.callback((resume) => {
  const input = Readline.createInterface({ input: process.stdin })
  input.once("line", (line) => {
    input.close()
    resume(Effect.succeed(line))
  })
})

const measured = <E>(run: Effect.Effect<Migration.Summary, E>): Effect.Effect<Reply, E> =>
  Effect.gen(function* () {
    const delay = PerfHooks.monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const begin = performance.now()
    const { phaseMillis } = yield* run
    const total = performance.now() - begin
    delay.disable()
    return {
      total,
      phases: { ...phaseMillis },
      maxResident: process.resourceUsage().maxRSS * 1024,
      delay: { p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 }
    }
  })

const main = Effect.gen(function* () {
  if (job.warm) yield* warmUp
  const prepared = yield* prepare
  console.log("ready")
  const expected = yield* firstLine
  const reply = yield* measured(prepared.run)
  console.log(JSON.stringify({ ...reply, equal: expected === "" || prepared.isEqual(expected) }))
}).pipe(Effect.scoped, Effect.provide(Migration.layer))

NodeRuntime.runMain(main)
