/** Images that somebody writes to between their being opened and their being used: what was verified is what counts. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { Buffer } from "node:buffer"
import * as ByteSource from "../../src/snapshot/ByteSource.ts"
import type * as DeviceState from "../../src/format/devices/DeviceState.ts"
import * as FileCalls from "../../src/io/files/FileCalls.ts"
import * as Image from "../../src/image/Image.ts"
import * as Integrity from "../../src/image/Integrity.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as BlocksTarget from "../../src/snapshot/BlocksTarget.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"

const { convert, receive, save, send } = Migration.make

const PAGE = 4096
const MIB = 1024 * 1024
const key = new Uint8Array(32).fill(3)
const other = new Uint8Array(32).fill(4)
const GENUINE = 0x67
const FORGED = 0xf0

const ram = () => MemoryPages.make({ idstr: "pc.ram", memory: new Uint8Array(32 * PAGE).fill(7) })

const section = (length: number): DeviceState.SectionInput => ({
  name: "disk",
  instanceId: 0,
  version: 1,
  data: new Uint8Array(length).fill(GENUINE)
})

/** A disk with an image of some device state. */
const savedWith = Effect.fnUntraced(function* (seal: Integrity.SealOptions | false, length = 3 * MIB) {
  const disk = MemoryDisk.make()
  const machineState = yield* MachineState.fromSections({ machine: "emulator-1", sections: [section(length)] })
  const blocks = [yield* ram()]
  yield* Effect.provide(save({ target: "/vm.img", blocks, machineState, seal }), disk.layer)
  return disk
})

/** Writes other bytes into an image that is open: the file stays the same one. */
const overwrite = (position: number, bytes: Uint8Array) =>
  Effect.gen(function* () {
    const { close, open, write } = yield* FileCalls.FileCalls
    const call = <A>(f: (done: (error: unknown, value?: A) => void) => void) =>
      Effect.callback<A | undefined>((resume) =>
        f((error, value) => resume(error === null ? Effect.succeed(value) : Effect.die(error)))
      )
    const fd = yield* call<number>((done) => open("/vm.img", 2, 0, done))
    yield* call((done) => write(fd!, bytes, 0, bytes.length, position, done))
    yield* call((done) => close(fd!, done))
  })

/** Where a run of the genuine bytes begins, some way into the device state. */
const placeOf = (disk: MemoryDisk.MemoryDisk, skip: number): number =>
  Buffer.from(disk.read("/vm.img")!).indexOf(Buffer.alloc(64, GENUINE)) + skip

const holdsForged = (bytes: Uint8Array | undefined): boolean =>
  bytes !== undefined && Buffer.from(bytes).includes(Buffer.alloc(64, FORGED))

const isChanged = (error: unknown) => {
  assert.instanceOf(error, Integrity.IntegrityError)
  assert.strictEqual(error.damage.length, 0)
  assert.isDefined(error.changed)
  assert.match(error.message, /^\/vm\.img: changed while it was being read: bytes \d+ to \d+, which are not pages/)
}

describe("device state that changes after its image was opened", () => {
  for (const [name, seal] of [
    ["crc32", {}],
    ["sha256", { algorithm: "sha256" }],
    ["hmac-sha256", { key }]
  ] as const) {
    for (const skip of [0, MIB, 3 * MIB - 64]) {
      it.effect(`is not converted, and never sealed again: ${name}, byte ${skip}`, () =>
        Effect.gen(function* () {
          const disk = yield* savedWith(seal)
          yield* Effect.gen(function* () {
            const source = yield* Image.open("/vm.img", "key" in seal ? { key } : {})
            yield* overwrite(placeOf(disk, skip), new Uint8Array(64).fill(FORGED))
            isChanged(yield* Effect.flip(convert({ source, target: "/copy.img", seal })))
            // As `save --device-state` does it.
            const { machineState } = source
            const saving = save({ target: "/copy.img", blocks: [yield* ram()], machineState, seal })
            isChanged(yield* Effect.flip(saving))
          }).pipe(Effect.scoped, Effect.provide(disk.layer))
          assert.isUndefined(disk.read("/copy.img"))
        })
      )
    }
  }

  it.live("is not sent: no receiver sees a byte of it", () =>
    Effect.gen(function* () {
      const disk = yield* savedWith({})
      const network = yield* VirtualNetwork.make()
      const at = SocketAddress.unix("/vm.sock")
      const listening = yield* Deferred.make<void>()
      const onListening = () => Effect.asVoid(Deferred.succeed(listening, undefined))
      const receiving = receive({ listen: at, target: BlocksTarget.make([yield* ram()]), onListening })
      const sending = Effect.gen(function* () {
        yield* Deferred.await(listening)
        const source = yield* Image.open("/vm.img")
        yield* overwrite(placeOf(disk, 2 * MIB), new Uint8Array(64).fill(FORGED))
        return yield* Effect.flip(send({ source, to: at }))
      }).pipe(Effect.scoped)
      const [received, sent] = yield* Effect.all([Effect.exit(receiving), sending], { concurrency: 2 }).pipe(
        Effect.provide(disk.layer),
        Effect.provide(network.layer)
      )
      isChanged(sent)
      assert.strictEqual(received._tag, "Failure")
    })
  )

  it.effect("is handed on where nobody wants to know, or there are no checksums", () =>
    Effect.gen(function* () {
      for (const [seal, options] of [
        [{}, { verify: false }],
        [false, {}]
      ] as const) {
        const disk = yield* savedWith(seal, PAGE)
        const bytes = yield* Effect.gen(function* () {
          const { machineState } = yield* Image.open("/vm.img", options)
          yield* overwrite(placeOf(disk, 0), new Uint8Array(64).fill(FORGED))
          return yield* ByteSource.read(machineState.deviceState)
        }).pipe(Effect.scoped, Effect.provide(disk.layer))
        assert.isTrue(holdsForged(bytes))
      }
    })
  )

  it.effect("is read as it was sealed where it did not", () =>
    Effect.gen(function* () {
      const disk = yield* savedWith({ key })
      const [before, after] = yield* Effect.gen(function* () {
        const { machineState } = yield* Image.open("/vm.img", { key })
        const all = yield* ByteSource.read(machineState.deviceState)
        const part = new Uint8Array(300_000)
        yield* machineState.deviceState.readInto(777_777, part)
        return [all.slice(777_777, 1_077_777), part]
      }).pipe(Effect.scoped, Effect.provide(disk.layer))
      assert.deepStrictEqual(before, after)
    })
  )
})

describe("the description", () => {
  it.effect("that changes after its image was opened is not handed on either", () =>
    Effect.gen(function* () {
      const disk = yield* savedWith({ key })
      yield* Effect.gen(function* () {
        const source = yield* Image.open("/vm.img", { key })
        const at = Buffer.from(disk.read("/vm.img")!).indexOf('"vmsd_name"')
        assert.isAbove(at, 0)
        yield* overwrite(at, Buffer.from('"VMSD_name"'))
        isChanged(yield* Effect.flip(convert({ source, target: "/copy.img", seal: { key } })))
      }).pipe(Effect.scoped, Effect.provide(disk.layer))
      assert.isUndefined(disk.read("/copy.img"))
    })
  )
})

describe("an image that shows other bytes", () => {
  /** Reads of the image, each of which can be answered with another image's bytes. */
  const twoFaced = (calls: FileCalls.Calls, other: Uint8Array, isOther: (read: number) => boolean) => {
    let reads = 0
    const faced: FileCalls.Calls = {
      ...calls,
      read: (fd, target, offset, length, position, done) =>
        calls.read(fd, target, offset, length, position, (error, count) => {
          if (error === null && isOther(reads++)) target.set(other.subarray(position, position + count), offset)
          done(error, count)
        })
    }
    return { faced, reads: () => reads }
  }

  /** What an image says of itself, all of it. */
  const gist = Effect.gen(function* () {
    const image = yield* Image.open("/vm.img", { key })
    const { blocks, configuration, machineState } = image
    const { deviceState, early, prelude } = machineState
    return {
      configuration,
      blocks: blocks.map(({ idstr, pagesOffset, reader }) => ({ idstr, pagesOffset, bits: reader.present.bytes })),
      state: Buffer.concat([prelude, early, yield* ByteSource.read(deviceState)]).toString("hex")
    }
  }).pipe(Effect.scoped)

  const machineOf = (fill: number, machine: string, key: Uint8Array) =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const sections = [{ ...section(100), data: new Uint8Array(100).fill(fill) }]
      const state = yield* MachineState.fromSections({ machine, sections })
      const memory = new Uint8Array(32 * PAGE)
      memory.fill(7, (fill & 1) * 8 * PAGE, 16 * PAGE)
      const blocks = [yield* MemoryPages.make({ idstr: "pc.ram", memory })]
      yield* Effect.provide(save({ target: "/vm.img", blocks, machineState: state, seal: { key } }), disk.layer)
      return disk
    })

  it.effect("to any one of its reads, or to all from one on, is what was sealed, or an error", () =>
    Effect.gen(function* () {
      const disk = yield* machineOf(0x67, "emulator-1", key)
      // As long as the other one, whose every part differs: the machine, a bit in the bitmap, the device state.
      const forged = (yield* machineOf(0xf0, "imitator-1", other)).read("/vm.img")!
      const sound = yield* Effect.provide(gist, disk.layer)
      const counted = twoFaced(disk.calls, forged, () => false)
      yield* Effect.provideService(gist, FileCalls.FileCalls, counted.faced)
      const total = counted.reads()
      assert.isAbove(total, 5)
      let refused = 0
      const faces = Array.from({ length: total }, (_, at) => [
        (read: number) => read === at,
        (read: number) => read >= at,
        (read: number) => read < at
      ]).flat()
      for (const [index, isOther] of faces.entries()) {
        const { faced } = twoFaced(disk.calls, forged, isOther)
        const exit = yield* Effect.exit(Effect.provideService(gist, FileCalls.FileCalls, faced))
        if (exit._tag === "Failure") refused++
        else assert.deepStrictEqual(exit.value, sound, `face ${index}`)
      }
      assert.isAbove(refused, total)
    })
  )
})
