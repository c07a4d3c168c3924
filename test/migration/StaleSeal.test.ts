/**
 * Another image is written over a sealed one by somebody who knows nothing of seals and cuts nothing off, as QEMU does on
 * a device: what the new image does not reach is still there, the mark and the seal of the old one among it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ByteSource from "../../src/snapshot/ByteSource.ts"
import * as FileCalls from "../../src/io/files/FileCalls.ts"
import * as Image from "../../src/image/Image.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as MappedRam from "../../src/format/image/MappedRam.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Recover from "../../src/migration/Recover.ts"
import * as Seal from "../../src/image/Seal.ts"
import * as Verify from "../../src/image/Verify.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"

const { save } = Migration.make

const PAGE = 4096
const PAGES = 64
const VM = "/dev/vm"

interface Guest {
  readonly fill: number
  /** Bytes of device state. */
  readonly state: number
  readonly machine?: string
  readonly described?: boolean
}

const imageOf = Effect.fnUntraced(function* (
  { described = true, fill, machine = "emulator-1", state }: Guest,
  { offset, seal }: { readonly offset: number | undefined; readonly seal: Migration.WriteOptions["seal"] }
) {
  const disk = MemoryDisk.make()
  const memory = new Uint8Array(PAGES * PAGE).fill(fill)
  const data = new Uint8Array(state).fill(fill)
  const all = yield* MachineState.fromSections({
    machine,
    sections: [{ name: "cpu", instanceId: 0, version: 1, data }]
  })
  const machineState = described ? all : { ...all, description: ByteSource.empty }
  const blocks = [yield* MemoryPages.make({ idstr: "pc.ram", memory })]
  const target = { path: "/vm.img", offset }
  yield* Effect.provide(save({ target, blocks, machineState, seal }), disk.layer)
  return disk
})

/** A device with an image, over which another one is written, but for its padding, which writers seek over. */
const over = Effect.fnUntraced(function* (
  old: Guest,
  next: Guest,
  options: { readonly offset?: number | undefined; readonly seal?: Migration.WriteOptions["seal"] } = {}
) {
  const { offset, seal } = options
  const device = new Uint8Array(4 * 1024 * 1024)
  device.set((yield* imageOf(old, { offset, seal })).read("/vm.img")!)
  const written = yield* imageOf(next, { offset, seal: false })
  const bytes = written.read("/vm.img")!
  const inspection = yield* Effect.provide(Effect.scoped(Image.inspect({ path: "/vm.img", offset })), written.layer)
  const [block] = inspection.blocks
  const padding = block!.bitmapOffset + MappedRam.bitmapLength(block!)
  device.set(bytes.subarray(offset ?? 0, padding), offset ?? 0)
  device.set(bytes.subarray(block!.pagesOffset), block!.pagesOffset)
  const disk = MemoryDisk.make()
  disk.device(VM, device.length)
  disk.write(VM, device)
  return disk
})

/** What is in the image, for all that is known of it. */
const contentsOf = (offset: number | undefined, options: { readonly verify?: boolean } = {}) =>
  Effect.gen(function* () {
    const image = yield* Image.open({ path: VM, offset }, options)
    const pages = yield* image.readPages("pc.ram", 0, PAGES * PAGE)
    const [section] = image.deviceSections
    const { deviceState, description } = image.machineState
    return {
      fill: new Set(pages),
      state: deviceState.length,
      described: description.length > 0,
      section: section?.name
    }
  }).pipe(Effect.scoped)

const codesOf = ({ inspection }: Verify.Report) =>
  inspection.findings.filter(({ severity }) => severity === "error").map(({ code }) => code)

describe("an image over a sealed one", () => {
  const old: Guest = { fill: 1, state: 20_000 }
  const cases: ReadonlyArray<readonly [what: string, next: Guest, code: string]> = [
    ["of the same length", { fill: 2, state: 20_000 }, "stream-checksum-wrong"],
    ["that reaches into the old seal", { fill: 2, state: 30_000 }, "seal-stale"],
    ["that ends in front of the old seal, but behind the old stream", { fill: 2, state: 20_100 }, "seal-stale"],
    ["that is shorter", { fill: 2, state: 9000 }, "seal-stale"],
    ["that is a little shorter", { fill: 2, state: 19_999 }, "seal-stale"],
    ["whose mark belongs elsewhere", { fill: 2, state: 20_000, machine: "emulator-".padEnd(74, "x") }, "seal-stale"]
  ]
  for (const [what, next, code] of cases) {
    for (const offset of [undefined, 12_288]) {
      const where = offset === undefined ? "" : `, at offset ${offset}`
      it.effect(`${what}${where}: its checksums are not its own; it loads without them, and can be sealed`, () =>
        Effect.gen(function* () {
          const disk = yield* over(old, next, { offset })
          yield* Effect.gen(function* () {
            const location = { path: VM, offset }
            const report = yield* Effect.scoped(Verify.run(location))
            assert(report.error?._tag === "SealMismatchError")
            assert.match(report.error.message, /^\/dev\/vm: its checksums do not belong to it: /)
            assert.deepStrictEqual(codesOf(report), [code])
            const error = yield* Effect.flip(Effect.scoped(Image.open(location)))
            assert.strictEqual(error._tag, "SealMismatchError")

            const loaded = yield* contentsOf(offset, { verify: false })
            assert.deepInclude(loaded, { fill: new Set([2]), described: true, section: "cpu" })
            assert.isAtLeast(loaded.state, next.state)
            assert.isBelow(loaded.state, next.state + 100)
            yield* Seal.run(location)
            assert.isUndefined((yield* Effect.scoped(Verify.run(location))).error)
            assert.deepStrictEqual(yield* contentsOf(offset), loaded)
          }).pipe(Effect.provide(disk.layer))
        })
      )
    }
  }

  it.effect("that is the same one is sealed", () =>
    Effect.gen(function* () {
      const disk = yield* over(old, old)
      const { error, inspection } = yield* Effect.provide(Effect.scoped(Verify.run(VM)), disk.layer)
      assert.isUndefined(error)
      assert.isDefined(inspection.seal)
    })
  )

  it.effect("without a description, of the same length, loads without checksums", () =>
    Effect.gen(function* () {
      const undescribed = { ...old, described: false }
      const disk = yield* over(undescribed, { ...undescribed, fill: 2 })
      const { error } = yield* Effect.provide(Effect.scoped(Verify.run(VM)), disk.layer)
      assert.strictEqual(error?._tag, "SealMismatchError")
      const { fill, described } = yield* Effect.provide(contentsOf(undefined, { verify: false }), disk.layer)
      assert.deepStrictEqual([fill, described], [new Set([2]), false])
    })
  )

  it.effect("that was sealed with a key is not sealed with it any more", () =>
    Effect.gen(function* () {
      const key = new Uint8Array(32).fill(3)
      for (const state of [20_000, 30_000, 9000]) {
        const disk = yield* over(old, { fill: 2, state }, { seal: { key } })
        const { error } = yield* Effect.provide(Effect.scoped(Verify.run(VM, { key })), disk.layer)
        assert.strictEqual(error?._tag, "SealMismatchError")
      }
    })
  )

  it.effect("has no page that could be proven to be the old one's", () =>
    Effect.gen(function* () {
      const disk = yield* over(old, { fill: 2, state: 20_000 })
      const { lost, machineState, summary } = yield* Effect.provide(
        Recover.run({ source: VM, target: "/out.img" }),
        disk.layer
      )
      assert.isFalse(machineState)
      assert.strictEqual(summary.normalPages, 0)
      assert.strictEqual(
        lost.reduce((sum, { pages }) => sum + pages, 0),
        PAGES
      )
    })
  )

  it.effect("that somebody had begun to seal is found whole, however long it is", () =>
    Effect.gen(function* () {
      for (const state of [9000, 20_000, 30_000]) {
        const disk = MemoryDisk.make()
        const unsealed = yield* imageOf(old, { offset: undefined, seal: false })
        disk.device(VM, 4 * 1024 * 1024)
        const device = disk.read(VM)!.slice()
        device.set(unsealed.read("/vm.img")!)
        disk.write(VM, device)
        // The power fails when the mark says that a seal is being added.
        let begun: MemoryDisk.MemoryDisk | undefined
        const { calls } = disk
        yield* Effect.provideService(Seal.run(VM), FileCalls.FileCalls, {
          ...calls,
          fdatasync: (fd, done) =>
            calls.fdatasync(fd, (error) => {
              begun ??= disk.powerCut()
              done(error)
            })
        })
        const half = begun!.read(VM)!.slice()
        const next = (yield* imageOf({ fill: 2, state }, { offset: undefined, seal: false })).read("/vm.img")!
        half.set(next.subarray(0, 150))
        half.set(next.subarray(1024 * 1024), 1024 * 1024)
        begun!.write(VM, half)
        const { error, inspection } = yield* Effect.provide(Effect.scoped(Verify.run(VM)), begun!.layer)
        assert.isUndefined(error)
        assert.include(
          inspection.findings.map(({ code }) => code),
          "seal-unfinished"
        )
        assert.isTrue((yield* Effect.provide(contentsOf(undefined), begun!.layer)).described)
      }
    })
  )
})
