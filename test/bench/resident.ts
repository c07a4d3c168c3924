/**
 * The memory that it takes to save, restore, send and receive a block that lies in a file.
 */
import * as Effect from "effect/Effect"
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import { MAIN_BLOCK } from "../support/qemu/guest.ts"
import type { Machine } from "./machine.ts"
import * as Ours from "./ours.ts"
import { atMost, type Verdict } from "./targets.ts"
import type { BenchError, Reply } from "./worker.ts"

const MIB = 1024 * 1024

/** One MiB of data in so many bytes of the block. */
const DATA_EVERY = 16 * MIB

/** Resident memory that a process may have, in MiB. */
const LIMITS = { file: 150, sockets: 200 }

/** How many the migration over sockets has. */
const CHANNELS = 8

const makeSparse = (path: string, size: number): void => {
  const fd = Fs.openSync(path, "wx")
  Fs.ftruncateSync(fd, size)
  for (let at = 0; at < size; at += DATA_EVERY) Fs.writeSync(fd, Crypto.randomBytes(MIB), 0, MIB, at)
  Fs.closeSync(fd)
}

const cold = { warm: false, scratch: "" }

/** Sends an image from one process to another. */
const migrate = (image: string, target: string) => {
  const agreement = { channels: CHANNELS, compression: "none" } as const
  return Effect.gen(function* () {
    const receiver = yield* Ours.start({ kind: "receive", target, ...agreement, ...cold })
    const sender = yield* Ours.start({ kind: "send", image, to: receiver.told, ...agreement, ...cold })
    return yield* Effect.all([sender.run(), receiver.run()], { concurrency: 2 })
  }).pipe(Effect.scoped)
}

/** Saves, restores, sends and receives a sparse file in processes of their own. */
export const run = (machine: Machine): Effect.Effect<ReadonlyArray<Verdict>, BenchError> => {
  const { sparse: size } = machine.settings
  const ram = machine.file("disk", "sparse")
  const image = machine.file("disk", "image")
  const target = machine.file("disk", "target")
  const common = { idstr: MAIN_BLOCK, store: "file", lanes: true, ...cold } as const
  const alone = (job: Parameters<typeof Ours.start>[0]) =>
    Effect.scoped(Effect.flatMap(Ours.start(job), ({ run }) => run()))
  const verdict = (what: string, { maxResident }: Reply, limit: number) =>
    atMost(`resident memory: ${what} of a ${size / 1024 / MIB} GiB block in a file`, maxResident! / MIB, limit, "MiB")
  return Effect.gen(function* () {
    makeSparse(ram, size)
    const saved = yield* alone({ kind: "save", sealed: true, ram, target: image, ...common })
    const restored = yield* alone({ kind: "restore", image, size, target, ...common })
    const [sent, received] = yield* migrate(image, target)
    return [
      verdict("save", saved, LIMITS.file),
      verdict("restore", restored, LIMITS.file),
      verdict(`send over ${CHANNELS} channels`, sent, LIMITS.sockets),
      verdict(`receive over ${CHANNELS} channels`, received, LIMITS.sockets)
    ]
  }).pipe(Effect.ensuring(Effect.sync(() => [ram, image, target].forEach((path) => Fs.rmSync(path, { force: true })))))
}
