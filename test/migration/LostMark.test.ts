/** A sealed image whose mark is gone, with its sector: its seal is still there, and says that it had checksums. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Buffer } from "node:buffer"
import * as ByteSource from "../../src/snapshot/ByteSource.ts"
import * as ImageSeal from "../../src/format/seal/ImageSeal.ts"
import type * as Integrity from "../../src/image/Integrity.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Verify from "../../src/image/Verify.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"

const { save } = Migration.make

const PAGE = 4096
const key = new Uint8Array(32).fill(3)

/** An image without its mark, and where its stream and its description end. */
const unmarked = Effect.fnUntraced(function* (seal: Integrity.SealOptions) {
  const disk = MemoryDisk.make()
  const blocks = [yield* MemoryPages.make({ idstr: "pc.ram", memory: new Uint8Array(32 * PAGE).fill(7) })]
  const sections = Array.from({ length: 80 }, (_, id) => ({
    name: `device/${id}`,
    instanceId: 0,
    version: 1,
    data: new Uint8Array(20)
  }))
  const machineState = yield* MachineState.fromSections({ machine: "emulator-1", sections })
  yield* Effect.provide(save({ target: "/vm.img", blocks, machineState, seal }), disk.layer)
  const bytes = disk.read("/vm.img")!.slice()
  const mark = Buffer.from(bytes).indexOf("MFDsMark")
  bytes.fill(0, mark, mark + 64)
  const sealAt = Buffer.from(bytes).lastIndexOf("MFDsSeal")
  const end = Number(Buffer.from(bytes).readBigUInt64BE(sealAt + 24))
  return { bytes, end, length: machineState.description.length, sealAt }
})

const reportOf = (bytes: Uint8Array) =>
  Effect.suspend(() => {
    const disk = MemoryDisk.make()
    disk.write("/vm.img", bytes)
    return Effect.provide(Effect.scoped(Verify.run("/vm.img")), disk.layer)
  })

/** Every byte in front of the text and its first ones, and some of the others. */
const placesIn = (length: number): ReadonlyArray<number> => [
  ...Array.from({ length: 12 }, (_, at) => at - 6),
  ...Array.from({ length: 40 }, (_, at) => Math.floor((at * (length - 1)) / 39))
]

describe("an image whose mark is lost", () => {
  for (const seal of [{}, { key }] as const) {
    const name = "key" in seal ? "hmac-sha256" : "crc32"
    it.effect(`is not taken for one without checksums, whatever byte of its description has changed: ${name}`, () =>
      Effect.gen(function* () {
        const { bytes, end, length } = yield* unmarked(seal)
        assert.isAbove(length, 2 * ImageSeal.ALIGNMENT)
        const whole = yield* reportOf(bytes)
        assert.strictEqual(whole.error?._tag, "CorruptImageError")
        for (const place of placesIn(length)) {
          const at = end - length + place
          for (const bit of [0, 6]) {
            bytes[at]! ^= 1 << bit
            const { error, inspection } = yield* reportOf(bytes)
            assert.isDefined(error, `bit ${bit} of byte ${place}: ${inspection.findings.map(({ code }) => code)}`)
            bytes[at]! ^= 1 << bit
          }
        }
      })
    )
  }
})

describe("what looks like a seal in the device state of an image without one", () => {
  it.effect("is none where it does not fit behind the end of a stream", () =>
    Effect.gen(function* () {
      const { bytes: sealed, sealAt } = yield* unmarked({})
      const disk = MemoryDisk.make()
      const blocks = [yield* MemoryPages.make({ idstr: "pc.ram", memory: new Uint8Array(32 * PAGE).fill(7) })]
      const sections = [{ name: "disk", instanceId: 0, version: 1, data: new Uint8Array(256 * 1024).fill(0x41) }]
      const described = yield* MachineState.fromSections({ machine: "emulator-1", sections })
      const machineState = { ...described, description: ByteSource.empty }
      yield* Effect.provide(save({ target: "/vm.img", blocks, machineState, seal: false }), disk.layer)
      const bytes = disk.read("/vm.img")!.slice()
      const at = ImageSeal.sealPosition(Buffer.from(bytes).indexOf(Buffer.alloc(64, 0x41)))
      for (const place of [at, at + 16 * PAGE]) {
        assert.notStrictEqual(place, sealAt)
        bytes.set(sealed.subarray(sealAt, sealAt + 72), place)
      }
      const { error, inspection } = yield* reportOf(bytes)
      assert.isUndefined(error)
      assert.include(
        inspection.findings.map(({ code }) => code),
        "description-missing"
      )
    })
  )
})
