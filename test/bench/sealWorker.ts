/**
 * Saves with checksums and without, in turns, so that both meet the same machine: `node sealWorker.ts RAM TARGET ROUNDS`,
 * with the protocol of `worker.ts`. The phases of the reply are the medians of both.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Migration from "../../src/migration/Migration.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import { ready } from "./ready.ts"
import { median } from "./variant.ts"

const [ram, target, rounds] = process.argv.slice(2) as [string, string, string]

/** Rounds that compile the code, and bring the memory that all others use. */
const WARM_UPS = 2

const { save } = Migration.make

const memory = new Uint8Array(Fs.statSync(ram).size)
const fd = Fs.openSync(ram, "r")
for (let at = 0; at < memory.length;) at += Fs.readSync(fd, memory, at, memory.length - at, at)

const timed = (seal: false | object) =>
  Effect.gen(function* () {
    const block = yield* MemoryPages.make({ idstr: "pc.ram", memory })
    Fs.rmSync(target, { force: true })
    const begin = performance.now()
    yield* save({ target, blocks: [block], seal })
    return performance.now() - begin
  })

const main = Effect.gen(function* () {
  yield* ready("")
  const sealed: Array<number> = []
  const plain: Array<number> = []
  for (let round = 0; round < WARM_UPS + 2 * Number(rounds); round++) {
    const times = { plain: yield* timed(false), sealed: yield* timed({}) }
    if (round < WARM_UPS) continue
    plain.push(times.plain)
    sealed.push(times.sealed)
  }
  Fs.rmSync(target)
  const phases = { sealed: median(sealed), plain: median(plain) }
  console.log(JSON.stringify({ total: phases.sealed + phases.plain, phases }))
})

NodeRuntime.runMain(main)
