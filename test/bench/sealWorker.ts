/**
 * Saves with checksums and without, in turns, so that both meet the same machine: `node sealWorker.ts RAM TARGET ROUNDS`,
 * with the protocol of `worker.ts`. The phases of the reply are the lower quartiles of both: what a disk adds now and then
 * is many times what checksums cost, and a median may have some of it.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Migration from "../../src/migration/Migration.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import { ready } from "./ready.ts"
import { lowerQuartile } from "./variant.ts"

const [ram, target, rounds] = process.argv.slice(2) as [string, string, string]

/** Rounds that compile the code, and bring the memory that all others use. */
const WARM_UPS = 2

/** Pairs of saves in a round. */
const PAIRS = 8

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
  for (let round = 0; round < WARM_UPS + PAIRS * Number(rounds); round++) {
    const isPlainFirst = round % 2 === 0
    const first = yield* timed(isPlainFirst ? false : {})
    const second = yield* timed(isPlainFirst ? {} : false)
    if (round < WARM_UPS) continue
    plain.push(isPlainFirst ? first : second)
    sealed.push(isPlainFirst ? second : first)
  }
  Fs.rmSync(target)
  const phases = { sealed: lowerQuartile(sealed), plain: lowerQuartile(plain) }
  console.log(JSON.stringify({ total: phases.sealed + phases.plain, phases }))
})

NodeRuntime.runMain(main)
