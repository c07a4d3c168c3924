/**
 * A snapshot of v86, the PC in WebAssembly: its RAM is saved in place and restored into another PC.
 *
 * v86 exposes the RAM as a `Proxy`, `mem8`, over a part of the emulator's own memory, which may grow: that part is the
 * block. Registers and devices are not saved here; device-sections.ts shows how to do that.
 *
 * With an argument, the image is kept: `node examples/v86.ts v86.img`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { Image, MachineState, MemoryPages, Migration } from "effect-multifd"
import { fileURLToPath } from "node:url"
import { V86 } from "v86"
import { temporaryFile } from "./support/files.ts"

const COUNTER = 0x20000

/**
 * The firmware of the PC, which counts in RAM and continues from the number that it finds there. A real one would be
 * SeaBIOS.
 *
 *     f000:0000  mov ax, 2000h      b8 00 20
 *     f000:0003  mov ds, ax         8e d8
 *     f000:0005  inc dword [0]      66 ff 06 00 00
 *     f000:000a  jmp 0005           eb f9
 *     f000:fff0  jmp f000:0000      ea 00 00 00 f0      where a processor begins
 */
const firmware = Buffer.alloc(65536)
firmware.write("b800208ed866ff060000ebf9", 0, "hex")
firmware.write("ea000000f0", 0xfff0, "hex")

/** Fields that v86 does not declare: its processor, and the location of the RAM. */
interface Inside {
  readonly v86: {
    readonly cpu: { readonly wasm_memory: MemoryPages.GrowableMemory; readonly mem8: Uint8Array }
  }
}

/** A stopped PC, until the scope ends. */
const makePc = Effect.acquireRelease(
  Effect.callback<V86>((resume) => {
    const pc = new V86({
      wasm_path: fileURLToPath(import.meta.resolve("v86/build/v86.wasm")),
      bios: { buffer: new Uint8Array(firmware).buffer },
      memory_size: 16 * 2 ** 20,
      vga_memory_size: 2 ** 20,
      autostart: false
    })
    pc.add_listener("emulator-ready", () => resume(Effect.succeed(pc)))
  }),
  (pc) => Effect.promise(() => pc.destroy())
)

const ramOf = (pc: V86) => {
  const { mem8, wasm_memory: memory } = (pc as unknown as Inside).v86.cpu
  return MemoryPages.make({ idstr: "pc.ram", memory, byteOffset: mem8.byteOffset, byteLength: mem8.byteLength })
}

const counter = (pc: V86): number => Buffer.from(pc.read_memory(COUNTER, 4)).readUInt32LE()

/** Runs it until it has counted a thousand further, and stops it again. */
const countOn = Effect.fnUntraced(function* (pc: V86) {
  const begin = counter(pc)
  yield* Effect.promise(() => pc.run())
  yield* Effect.sleep("10 millis").pipe(Effect.repeat({ until: () => counter(pc) > begin + 1000 }))
  yield* Effect.promise(() => pc.stop())
})

const program = Effect.gen(function* () {
  const migration = yield* Migration.Migration
  const path = process.argv[2] ?? (yield* temporaryFile("v86.img"))

  const pc = yield* makePc
  yield* countOn(pc)
  const counted = counter(pc)
  const saved = yield* migration.save({
    target: path,
    blocks: [yield* ramOf(pc)],
    machineState: MachineState.empty({ machine: "v86" })
  })
  yield* Console.log(`saved ${saved.pages} pages, ${saved.zeroPages} of them empty; the PC has counted to ${counted}`)

  const successor = yield* makePc
  yield* migration.restore({ source: yield* Image.open(path), blocks: [yield* ramOf(successor)] })
  if (counter(successor) !== counted) return yield* Effect.die(`the new PC begins at ${counter(successor)}`)
  yield* countOn(successor)
  yield* Console.log(`the new PC has continued to ${counter(successor)}`)
}).pipe(Effect.scoped, Effect.provide(Migration.layer))

NodeRuntime.runMain(program)
