/**
 * The memory that it takes to save and restore a block that lies in a file.
 */
import * as Effect from "effect/Effect"
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import { MAIN_BLOCK } from "../interop/support/Guest.ts"
import type { Machine } from "./machine.ts"
import * as Ours from "./ours.ts"
import { atMost, type Verdict } from "./targets.ts"
import type { BenchError } from "./worker.ts"

const MIB = 1024 * 1024

/** One MiB of data in so many bytes of the block. */
const DATA_EVERY = 16 * MIB

/** Resident memory that a process may have, in MiB. */
const LIMIT = 150

const makeSparse = (path: string, size: number): void => {
  const fd = Fs.openSync(path, "wx")
  Fs.ftruncateSync(fd, size)
  for (let at = 0; at < size; at += DATA_EVERY) Fs.writeSync(fd, Crypto.randomBytes(MIB), 0, MIB, at)
  Fs.closeSync(fd)
}

/** Saves and restores a sparse file in processes of their own. */
export const run = (machine: Machine): Effect.Effect<ReadonlyArray<Verdict>, BenchError> => {
  const { sparse: size } = machine.settings
  const ram = machine.file("disk", "sparse")
  const image = machine.file("disk", "image")
  const target = machine.file("disk", "target")
  const common = { idstr: MAIN_BLOCK, store: "file", scratch: "", warm: false } as const
  const jobs = [
    { kind: "save", ram, target: image, ...common },
    { kind: "restore", image, size, target, ...common }
  ] as const
  return Effect.gen(function* () {
    makeSparse(ram, size)
    const verdicts: Array<Verdict> = []
    for (const job of jobs) {
      const { maxResident } = yield* Effect.scoped(Effect.flatMap(Ours.start(job), ({ run }) => run()))
      const what = `resident memory: ${job.kind} of a ${size / 1024 / MIB} GiB block in a file`
      verdicts.push(atMost(what, maxResident! / MIB, LIMIT, "MiB"))
    }
    return verdicts
  }).pipe(Effect.ensuring(Effect.sync(() => [ram, image, target].forEach((path) => Fs.rmSync(path, { force: true })))))
}
