import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Image from "../../src/entry/Image.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"

const PAGE = 4096

const memoryOf = (pages: number, seed: number): Uint8Array =>
  new Uint8Array(pages * PAGE).map((_, at) => (Math.floor(at / PAGE) % 3 === 0 ? 0 : (at * seed) % 251))

const onDisk = <A, E>(effect: Effect.Effect<A, E>) => Effect.provide(effect, MemoryDisk.make().layer)

describe("memory of this process", () => {
  it.effect("comes back with the devices beside it", () =>
    onDisk(
      Effect.gen(function* () {
        const memory = memoryOf(16, 7)
        const devices = { cpu: Uint8Array.of(1, 2, 3), timer: new Uint8Array(100).fill(9) }
        const { pages } = yield* Image.save("/vm.img", { ram: memory, devices, machine: "toy-1" })
        assert.strictEqual(pages, 16)
        const loaded = yield* Image.load("/vm.img")
        assert.strictEqual(loaded.machine, "toy-1")
        assert.deepStrictEqual(loaded.ram, { ram: memory })
        assert.deepStrictEqual(loaded.devices, devices)
      })
    )
  )

  it.effect("is as many blocks as it has names", () =>
    onDisk(
      Effect.gen(function* () {
        const ram = { low: memoryOf(4, 3), high: memoryOf(8, 5) }
        yield* Image.save("/vm.img", { ram })
        assert.deepStrictEqual((yield* Image.load("/vm.img")).ram, ram)
      })
    )
  )

  it.effect("is filled where it is given, whatever it held", () =>
    onDisk(
      Effect.gen(function* () {
        const memory = memoryOf(8, 11)
        yield* Image.save("/vm.img", { ram: new WebAssembly.Memory({ initial: 1 }) })
        yield* Image.save("/vm.img", { ram: { main: memory } })
        const alone = new SharedArrayBuffer(memory.length)
        new Uint8Array(alone).fill(0xee)
        assert.deepStrictEqual((yield* Image.load("/vm.img", { into: alone })).ram, {})
        assert.deepStrictEqual(new Uint8Array(alone).slice(), memory)
        const named = new Uint8Array(memory.length).fill(0xee)
        yield* Image.load("/vm.img", { into: { main: named } })
        assert.deepStrictEqual(named, memory)
      })
    )
  )

  it.effect("is refused where it does not fit, before it is touched", () =>
    onDisk(
      Effect.gen(function* () {
        yield* Image.save("/vm.img", { ram: memoryOf(8, 1) })
        const small = new Uint8Array(4 * PAGE).fill(7)
        const error = yield* Effect.flip(Image.load("/vm.img", { into: small }))
        assert.strictEqual(error._tag, "MigrationRequestError")
        assert.isTrue(small.every((byte) => byte === 7))
        const large = yield* Effect.flip(Image.load("/vm.img", { maxRam: 8 * PAGE - 1 }))
        assert.include(large.message, "maxRam")
      })
    )
  )
})
