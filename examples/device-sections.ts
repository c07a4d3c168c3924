/**
 * A machine without QEMU: its registers are saved with its memory, as custom device sections.
 *
 * With an argument, it lists the device sections of your image: `node examples/device-sections.ts vm.img`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { Image, MachineState, MemoryPages, Migration } from "effect-multifd"
import { temporaryFile } from "./support/files.ts"

const registers = { pc: 0xfff0, sp: 0x8000 }

const encode = ({ pc, sp }: typeof registers): Uint8Array => {
  const bytes = new DataView(new ArrayBuffer(8))
  bytes.setUint32(0, pc)
  bytes.setUint32(4, sp)
  return new Uint8Array(bytes.buffer)
}

const decode = (data: Uint8Array): typeof registers => {
  const bytes = new DataView(data.buffer, data.byteOffset, data.length)
  return { pc: bytes.getUint32(0), sp: bytes.getUint32(4) }
}

/** An image of a machine with registers and 1 MiB of memory. */
const exampleImage = Effect.gen(function* () {
  const migration = yield* Migration.Migration
  const path = yield* temporaryFile("machine.img")

  const machineState = yield* MachineState.fromSections({
    machine: "my-emulator-1",
    sections: [{ name: "cpu", instanceId: 0, version: 1, data: encode(registers) }]
  })
  const ram = yield* MemoryPages.make({ idstr: "ram", memory: new Uint8Array(2 ** 20) })
  yield* migration.save({ target: path, blocks: [ram], machineState })
  return path
})

const program = Effect.gen(function* () {
  const [, , yours] = process.argv
  const image = yield* Image.open(yours ?? (yield* exampleImage))
  yield* Console.log(`machine type ${image.machine}`)
  for (const { data, instanceId, name, version } of image.deviceSections) {
    const content = yours === undefined ? JSON.stringify(decode(data)) : `${data.length} bytes`
    yield* Console.log(`${name} ${instanceId}, version ${version}: ${content}`)
  }
}).pipe(Effect.scoped, Effect.provide(Migration.layer))

NodeRuntime.runMain(program)
