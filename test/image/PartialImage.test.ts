import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Image from "../../src/image/Image.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Recover from "../../src/migration/Recover.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"

const PAGE = 4096
const EXTENT = 64 * 1024
const SOURCE = "/vm.img"
const TARGET = "/new.img"

const contents = (pages: number): Uint8Array =>
  RamArbitraries.contents({ idstr: "pc.ram", pageSize: PAGE, pages, pattern: "alternating", seed: 3 })

/** A disk with the image of a machine with one device and two blocks. */
const savedDisk = Effect.fnUntraced(function* (options: Partial<Migration.SaveOptions> = {}) {
  const disk = MemoryDisk.make()
  const [ram, rom] = [contents(96), contents(5)]
  const blocks = [
    yield* MemoryPages.make({ idstr: "pc.ram", memory: ram }),
    yield* MemoryPages.make({ idstr: "pc.rom", memory: rom })
  ]
  const machineState = yield* MachineState.fromSections({
    machine: "emulator-1",
    sections: [{ name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(64).fill(5) }]
  })
  const seal = { extentSize: EXTENT }
  const saving = Migration.make.save({ target: SOURCE, blocks, machineState, seal, ...options })
  yield* Effect.provide(saving, disk.layer)
  return { disk, ram, rom }
})

const recover = (disk: MemoryDisk.MemoryDisk, source: Recover.Options["source"] = SOURCE) =>
  Effect.provide(Recover.run({ source, target: TARGET }), disk.layer)

/** What the recovered image holds, lost pages as zeros. */
const recovered = (disk: MemoryDisk.MemoryDisk) =>
  Effect.gen(function* () {
    const { blocks, deviceSections, machine, readPages } = yield* Image.open(TARGET)
    const memory = yield* Effect.forEach(blocks, ({ idstr, usedLength }) => readPages(idstr, 0, usedLength))
    return { names: blocks.map(({ idstr }) => idstr), memory, machine, sections: deviceSections.length }
  }).pipe(Effect.scoped, Effect.provide(disk.layer))

const edit = (disk: MemoryDisk.MemoryDisk, change: (bytes: Uint8Array) => Uint8Array | void): void => {
  const bytes = disk.read(SOURCE)!.slice()
  disk.write(SOURCE, change(bytes) ?? bytes)
}

describe("salvage", () => {
  it.effect("gives the whole machine of a save that was complete but for its first bytes", () =>
    Effect.gen(function* () {
      const { disk, ram, rom } = yield* savedDisk({ keepPartial: true })
      edit(disk, (bytes) => void bytes.fill(0, 0, 4))
      const report = yield* recover(disk)
      assert.deepInclude(report, { partial: false, machineState: true, lost: [], neverSaved: [] })
      const after = yield* recovered(disk)
      assert.deepStrictEqual(after.names, ["pc.ram", "pc.rom"])
      assert.deepStrictEqual(after.memory, [ram, rom])
      assert.deepInclude(after, { machine: "emulator-1", sections: 1 })
    })
  )

  it.effect("does not take other first bytes for those of a save that is not complete", () =>
    Effect.gen(function* () {
      for (const at of [0, 3]) {
        const { disk } = yield* savedDisk({ keepPartial: true })
        edit(disk, (bytes) => void bytes.fill(0, 0, 4).fill(1, at, at + 1))
        assert.strictEqual((yield* Effect.flip(recover(disk)))._tag, "MigrationRequestError")
        assert.isUndefined(disk.read(TARGET))
      }
    })
  )

  it.effect("finds nothing in a file that is no longer than the first bytes", () =>
    Effect.gen(function* () {
      for (const length of [0, 3, 4]) {
        const disk = MemoryDisk.make()
        disk.write(SOURCE, new Uint8Array(length))
        assert.strictEqual((yield* Effect.flip(recover(disk)))._tag, "MigrationRequestError")
      }
    })
  )

  it.effect("takes an image out of the middle of a file", () =>
    Effect.gen(function* () {
      const offset = 8 * 1024 * 1024
      const { disk, ram, rom } = yield* savedDisk({ target: { path: SOURCE, offset } })
      edit(disk, (bytes) => void (bytes[offset + 1024 * 1024 + 17 * PAGE]! ^= 1))
      const report = yield* recover(disk, { path: SOURCE, offset })
      assert.deepStrictEqual(
        report.lost.map(({ block, firstPage, pages }) => [block, firstPage, pages]),
        [["pc.ram", 16, 16]]
      )
      assert.isTrue(report.machineState)
      assert.deepStrictEqual((yield* recovered(disk)).memory, [ram.fill(0, 16 * PAGE, 32 * PAGE), rom])
    })
  )

  it.effect("says what is lost of several blocks in the order of the file", () =>
    Effect.gen(function* () {
      const { disk } = yield* savedDisk()
      edit(disk, (bytes) => {
        for (const page of [257, 17, 81]) bytes[1024 * 1024 + page * PAGE]! ^= 1
      })
      const report = yield* recover(disk)
      assert.deepStrictEqual(
        report.lost.map(({ block, firstPage }) => [block, firstPage]),
        [
          ["pc.ram", 16],
          ["pc.ram", 80],
          ["pc.rom", 0]
        ]
      )
    })
  )

  it.effect("gives what is there of a file whose end was cut off while it was unfinished", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const ram = contents(96)
      const whole = yield* MemoryPages.make({ idstr: "pc.ram", memory: ram })
      const readInto = (offset: number, target: Uint8Array) =>
        offset >= 64 * PAGE ? Effect.fail("gone" as const) : whole.reader.readInto(offset, target)
      const blocks = [{ ...whole, reader: { present: undefined, view: undefined, readInto } }]
      const options = { seal: { extentSize: EXTENT }, keepPartial: true, channels: 1, batchSize: EXTENT }
      const saving = Effect.flip(Migration.make.save({ target: SOURCE, blocks, ...options }))
      assert.strictEqual(yield* Effect.provide(saving, disk.layer), "gone")
      const [left] = disk.files()
      const end = 1024 * 1024 + 40 * PAGE + 100
      disk.write(SOURCE, disk.read(left!)!.slice(0, end))

      const { lost, machineState, neverSaved, partial } = yield* recover(disk)
      assert.deepStrictEqual([partial, machineState], [true, false])
      assert.deepStrictEqual(
        lost.map(({ firstPage, pages }) => [firstPage, pages]),
        [
          [32, 16],
          [48, 16]
        ]
      )
      assert.isAbove(neverSaved[0]!.pages, 32)
      const [memory] = (yield* recovered(disk)).memory
      assert.deepStrictEqual(memory!, ram.fill(0, 32 * PAGE))
    })
  )
})
