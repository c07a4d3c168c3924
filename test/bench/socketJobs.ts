/**
 * Sending and receiving, as the project's process does them.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Fs from "node:fs"
import * as MigrationUri from "../../src/io/sockets/MigrationUri.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Image from "../../src/image/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import type { SocketJob } from "./job.ts"

const MIB = 1024 * 1024
const WARM_UPS = 12

type Options = Pick<SocketJob, "channels" | "compression">

const addressOf = (uri: string): SocketAddress.SocketAddress => {
  const address = Result.getOrThrow(MigrationUri.parse(uri))
  if (address._tag === "File") throw new Error(`${uri} is no socket`)
  return address
}

/** Listens, and gives where, and what waits for the end. No checksums: QEMU makes none, either. */
const listen = Effect.fnUntraced(function* (target: string, { channels, compression }: Options) {
  const { receive } = yield* Migration.Migration
  const at = yield* Deferred.make<SocketAddress.SocketAddress>()
  const receiving = yield* Effect.forkChild(
    receive({
      listen: SocketAddress.tcp("127.0.0.1", 0),
      onListening: (address) => Effect.asVoid(Deferred.succeed(at, address)),
      target,
      channels,
      compression,
      seal: false
    })
  )
  const address = yield* Effect.raceFirst(Deferred.await(at), Effect.andThen(Fiber.join(receiving), Effect.never))
  return { address, run: Fiber.join(receiving) }
})

const send = Effect.fnUntraced(function* (
  image: string,
  to: SocketAddress.SocketAddress,
  { channels, compression }: Options
) {
  const migration = yield* Migration.Migration
  const source = yield* Image.open(image)
  return yield* migration.send({ source, to, channels, compression })
}, Effect.scoped)

/** Everything but what is measured: a receiver listens, and tells where. */
export const prepare = Effect.fnUntraced(function* (job: SocketJob) {
  if (job.kind === "receive") {
    const { address, run } = yield* listen(job.target, job)
    return { told: SocketAddress.format(address), run }
  }
  return { told: "", run: send(job.image, addressOf(job.to), job) }
})

/** Pages in whole runs, and behind them every third one. */
const fill = (memory: Uint8Array): Uint8Array => {
  const scattered = (memory.length / 4) * 3
  memory.fill(1, 0, scattered)
  for (let at = scattered; at < memory.length; at += 3 * 4096) memory[at] = 1
  return memory
}

/** A service has been running for a while: its code is compiled. Sends an image to itself, over half a GiB in all. */
export const warmUp = Effect.fnUntraced(function* (job: SocketJob) {
  const migration = yield* Migration.Migration
  const memory = fill(new Uint8Array(64 * MIB))
  const block = yield* MemoryPages.make({ idstr: "warm", memory })
  yield* migration.save({ target: job.scratch, blocks: [block] })
  const received = `${job.scratch}.received`
  for (let i = 0; i < WARM_UPS; i++) {
    const { address, run } = yield* listen(received, job)
    yield* Effect.all([run, send(job.scratch, address, job)], { concurrency: 2 })
  }
  Fs.rmSync(received)
  Fs.rmSync(job.scratch)
})
