/**
 * A snapshot of a WebAssembly machine: its memory is saved and restored into a new instance.
 *
 * Nothing is copied: the system calls work on the instance's own memory.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { Image, MemoryPages, Migration } from "effect-multifd"
import { temporaryFile } from "./support/files.ts"

/**
 * (module
 *   (memory (export "memory") 16)
 *   (func (export "tick") (i32.store (i32.const 65536) (i32.add (i32.load (i32.const 65536)) (i32.const 1)))))
 */
const machineCode = Buffer.from(
  "AGFzbQEAAAABBAFgAAADAgEABQMBABAHEQIGbWVtb3J5AgAEdGljawAAChUBEwBBgIAEQYCABCgCAEEBajYCAAs=",
  "base64"
)

interface Machine {
  readonly memory: WebAssembly.Memory
  readonly tick: () => void
}

const boot = Effect.promise(async () => {
  const { instance } = await WebAssembly.instantiate(machineCode)
  return instance.exports as Machine
})

const counter = ({ memory }: Machine): number => new DataView(memory.buffer).getUint32(65536, true)

const program = Effect.gen(function* () {
  const migration = yield* Migration.Migration
  const path = yield* temporaryFile("machine.img")

  const machine = yield* boot
  for (let i = 0; i < 1000; i++) machine.tick()
  const ram = yield* MemoryPages.make({ idstr: "machine/memory", memory: machine.memory })
  const saved = yield* migration.save({ target: path, blocks: [ram] })
  yield* Console.log(`saved ${saved.pages} pages, ${saved.zeroPages} of them empty`)

  const successor = yield* boot
  const place = yield* MemoryPages.make({ idstr: "machine/memory", memory: successor.memory })
  yield* migration.restore({ source: yield* Image.open(path), blocks: [place] })
  successor.tick()
  yield* Console.log(`the new machine continues: ${counter(machine)}, ${counter(successor)}`)
}).pipe(Effect.scoped, Effect.provide(Migration.layer))

NodeRuntime.runMain(program)
