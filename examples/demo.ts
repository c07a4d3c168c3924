/**
 * The main features from end to end: `npm start`.
 *
 * Makes memory, saves it over four channels, verifies the image, restores it into other memory and compares every byte.
 * If a QEMU 9.0 or newer is on the PATH, it then does the same with the memory of a real guest, in both directions.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { Image, MemoryPages, Migration, type RamBlock } from "effect-multifd"
import * as Content from "./support/content.ts"
import { guestThereAndBack } from "./support/guest.ts"
import * as Qemu from "./support/qemu.ts"
import { mebibytes, step, watched } from "./support/show.ts"

const MIB = 2 ** 20
const CHANNELS = 4

/** The memory of an imaginary machine: plain memory, memory shared with workers, and that of a WebAssembly instance. */
const memories = (): Readonly<Record<string, MemoryPages.Memory>> => ({
  "machine.ram": new ArrayBuffer(192 * MIB),
  "machine.shared": new SharedArrayBuffer(48 * MIB),
  "wasm/memory": new WebAssembly.Memory({ initial: 256 })
})

const bytesOf = (memory: MemoryPages.Memory): Uint8Array =>
  memory instanceof Uint8Array ? memory : new Uint8Array("buffer" in memory ? memory.buffer : memory)

const blocksOf = (all: Readonly<Record<string, MemoryPages.Memory>>, fresh: boolean) =>
  Effect.forEach(Object.entries(all), ([idstr, memory]) => MemoryPages.make({ idstr, memory, fresh }))

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "multifd-demo-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
)

/** Bytes that the file occupies: zero pages are holes. */
const allocated = (path: string): number => Fs.statSync(path).blocks * 512

const sum = (blocks: ReadonlyArray<RamBlock.Shape>): number =>
  blocks.reduce((total, { usedLength }) => total + usedLength, 0)

const memoryThereAndBack = Effect.fnUntraced(function* (path: string) {
  const migration = yield* Migration.Migration
  const source = memories()
  Object.values(source).forEach((memory, index) => Content.write(bytesOf(memory), index + 1))
  const blocks = yield* blocksOf(source, false)
  yield* step("memory", `${mebibytes(sum(blocks))} in ${blocks.length} blocks: empty pages, text, structures, noise`)

  yield* watched("save", `over ${CHANNELS} channels to ${path}`, (progress) =>
    migration.save({ target: path, blocks, channels: CHANNELS, progress })
  )
  yield* step("", `the image is ${mebibytes(Fs.statSync(path).size)} long and occupies ${mebibytes(allocated(path))}`)

  const { findings } = yield* Image.inspect(path)
  if (findings.length > 0) return yield* Effect.die(`the image is damaged: ${findings[0]!.message}`)
  yield* step("verify", "the image is OK")

  const target = memories()
  const image = yield* Image.open(path)
  const places = yield* blocksOf(target, true)
  yield* watched("restore", "into other memory", (progress) =>
    migration.restore({ source: image, blocks: places, channels: CHANNELS, progress })
  )
  for (const [idstr, memory] of Object.entries(source)) {
    if (Buffer.compare(bytesOf(memory), bytesOf(target[idstr]!)) !== 0) return yield* Effect.die(`${idstr} differs`)
  }
  yield* step("compare", "every byte is the same")
})

const program = Effect.gen(function* () {
  const folder = yield* temporaryFolder
  yield* Effect.scoped(memoryThereAndBack(Path.join(folder, "memory.img")))

  yield* Console.log()
  const version = yield* Qemu.version
  if (version === undefined) return yield* step("QEMU", "no version 9.0 or newer on the PATH: done")
  yield* step("QEMU", `found ${version}: the same with the memory of a real guest`)
  yield* Effect.scoped(guestThereAndBack(folder, CHANNELS))
}).pipe(Effect.scoped, Effect.provide(Migration.layer))

NodeRuntime.runMain(program)
