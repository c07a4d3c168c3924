import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import { Buffer } from "node:buffer"
import * as DirtyTracker from "../../src/ram/DirtyTracker.ts"
import * as FileCalls from "../../src/io/files/FileCalls.ts"
import * as Image from "../../src/image/Image.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as Migration from "../../src/migration/Migration.ts"
import type * as RamBlock from "../../src/ram/RamBlock.ts"
import * as Recover from "../../src/migration/Recover.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Verify from "../../src/image/Verify.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"

const { restore, save } = Migration.make

const PAGE = 4096
const EXTENT = 64 * 1024
const key = new Uint8Array(32).fill(3)

const ram = (): Uint8Array =>
  RamArbitraries.contents({ idstr: "pc.ram", pageSize: PAGE, pages: 96, pattern: "alternating", seed: 3 })

const seal = { extentSize: EXTENT }

const savedDisk = Effect.fnUntraced(function* (options: Pick<Migration.WriteOptions, "seal">) {
  const disk = MemoryDisk.make()
  const memory = ram()
  const block = yield* MemoryPages.make({ idstr: "pc.ram", memory })
  const machineState = yield* MachineState.fromSections({
    machine: "emulator-1",
    sections: [{ name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(64).fill(5) }]
  })
  yield* Effect.provide(save({ target: "/vm.img", blocks: [block], machineState, ...options }), disk.layer)
  return { disk, memory }
})

/** How many pages have anything in them. */
const pagesOf = (memory: Uint8Array): number =>
  Array.from({ length: memory.length / PAGE }, (_, page) => memory.subarray(page * PAGE, (page + 1) * PAGE)).filter(
    (page) => page.some((byte) => byte !== 0)
  ).length

/** The RAM in an image that is what was written, lost pages or not. */
const restored = (path: string, options: { readonly key?: Uint8Array } = {}) =>
  Effect.gen(function* () {
    const { error } = yield* Verify.run(path, options)
    assert.include([undefined, "LostPagesError"], error?._tag)
    const memory = new Uint8Array(96 * PAGE)
    const block = yield* MemoryPages.make({ idstr: "pc.ram", memory })
    const image = yield* Image.open(path, options)
    yield* restore({ source: image, blocks: [block] })
    return { memory, machine: image.machine, sections: image.deviceSections.length }
  }).pipe(Effect.scoped)

const change = (disk: MemoryDisk.MemoryDisk, at: number) => {
  const bytes = disk.read("/vm.img")!.slice()
  bytes[at]! ^= 1
  disk.write("/vm.img", bytes)
}

describe("recover", () => {
  it.effect("takes everything but the damaged extents, and says which they are", () =>
    Effect.gen(function* () {
      const { disk, memory } = yield* savedDisk({ seal })
      change(disk, 1024 * 1024 + 21 * PAGE)
      const report = yield* Effect.provide(Recover.run({ source: "/vm.img", target: "/new.img" }), disk.layer)
      assert.isFalse(report.partial)
      assert.isTrue(report.machineState)
      assert.deepStrictEqual(
        report.lost.map(({ block, firstPage, pages }) => [block, firstPage, pages]),
        [["pc.ram", 16, 16]]
      )
      assert.deepStrictEqual(report.neverSaved, [])
      assert.strictEqual(report.summary.pages, 80)
      const { error, inspection } = yield* Effect.provide(Effect.scoped(Verify.run("/new.img")), disk.layer)
      assert.strictEqual(error?._tag, "LostPagesError")
      assert.deepStrictEqual(inspection.notes, { lost: [{ idstr: "pc.ram", pages: 16 }] })
      const after = yield* Effect.provide(restored("/new.img"), disk.layer)
      assert.strictEqual(Buffer.compare(after.memory, memory.fill(0, 16 * PAGE, 32 * PAGE)), 0)
      assert.strictEqual(after.machine, "emulator-1")
      assert.strictEqual(after.sections, 1)
    })
  )

  it.effect("takes RAM only where the rest is damaged", () =>
    Effect.gen(function* () {
      const { disk, memory } = yield* savedDisk({ seal })
      change(disk, 1024 * 1024 + 96 * PAGE + 60)
      const report = yield* Effect.provide(Recover.run({ source: "/vm.img", target: "/new.img" }), disk.layer)
      assert.isFalse(report.machineState)
      assert.deepStrictEqual(report.lost, [])
      const after = yield* Effect.provide(restored("/new.img"), disk.layer)
      assert.strictEqual(Buffer.compare(after.memory, memory), 0)
      assert.strictEqual(after.machine, MachineState.DEFAULT_MACHINE)
    })
  )

  it.effect("has nothing to go by without checksums, or with damaged ones", () =>
    Effect.gen(function* () {
      const { disk } = yield* savedDisk({ seal: false })
      const run = Effect.provide(Effect.flip(Recover.run({ source: "/vm.img", target: "/new.img" })), disk.layer)
      assert.match((yield* run).message, /cannot recover: it has no intact checksums, .*; use multifd convert/)
      disk.write("/vm.img", new Uint8Array(10_000))
      assert.strictEqual((yield* run)._tag, "MigrationRequestError")
      assert.isUndefined(disk.read("/new.img"))
    })
  )

  it.effect("needs the key", () =>
    Effect.gen(function* () {
      const { disk } = yield* savedDisk({ seal: { key } })
      const options = { source: "/vm.img", target: "/new.img" }
      const error = yield* Effect.flip(Effect.provide(Recover.run(options), disk.layer))
      assert.strictEqual(error._tag, "SealKeyError")
      yield* Effect.provide(Recover.run({ ...options, key, seal: { key } }), disk.layer)
      yield* Effect.provide(restored("/new.img", { key }), disk.layer)
    })
  )
})

/** A block that cannot be read where it says so. */
const failing = (memory: Uint8Array, isGone: (offset: number) => boolean): RamBlock.Readable<"gone"> => ({
  idstr: "pc.ram",
  usedLength: memory.length,
  pageSize: PAGE,
  reader: {
    present: undefined,
    view: undefined,
    readInto: (offset, target) =>
      isGone(offset)
        ? Effect.fail("gone" as const)
        : Effect.sync(() => target.set(memory.subarray(offset, offset + target.length)))
  }
})

describe("a save that fails", () => {
  const attempt = (options: Pick<Migration.WriteOptions, "seal" | "keepPartial">) =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const request = {
        target: "/vm.img",
        blocks: [failing(ram(), (offset) => offset >= 64 * PAGE)],
        channels: 1,
        batchSize: EXTENT,
        ...options
      }
      const error = yield* Effect.flip(Effect.provide(save(request), disk.layer))
      assert.strictEqual(error, "gone")
      return { disk, left: disk.files() }
    })

  it.effect("leaves nothing, unless told otherwise", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* attempt({ seal })).left, [])
    })
  )

  it.effect("leaves what it had written: no image, but one can be made of it", () =>
    Effect.gen(function* () {
      for (const options of [{ seal }, { seal: { ...seal, key } }]) {
        const { disk, left } = yield* attempt({ ...options, keepPartial: true })
        assert.strictEqual(left.length, 1)
        assert.match(left[0]!, /^\/\.vm\.img\.[0-9a-f]+\.part$/)
        const opened = yield* Effect.flip(Effect.provide(Effect.scoped(Image.open(left[0]!)), disk.layer))
        assert.strictEqual(opened._tag, "NotMigrationImageError")

        const keyed = "key" in options.seal ? { key } : {}
        const run = Recover.run({ source: left[0]!, target: "/new.img", ...keyed })
        const report = yield* Effect.provide(run, disk.layer)
        assert.isTrue(report.partial)
        assert.isFalse(report.machineState)
        assert.deepStrictEqual(report.lost, [])
        const present = pagesOf(ram().subarray(0, 64 * PAGE))
        assert.deepStrictEqual(report.neverSaved, [{ idstr: "pc.ram", pages: 96 - present }])
        assert.include(report.summary, { normalPages: present, zeroPages: 0, pages: present })
        const { error } = yield* Effect.provide(Effect.scoped(Verify.run("/new.img")), disk.layer)
        assert(error?._tag === "LostPagesError")
        assert.deepStrictEqual(error.lost, report.neverSaved)
        const { memory } = yield* Effect.provide(restored("/new.img"), disk.layer)
        assert.strictEqual(Buffer.compare(memory, ram().fill(0, 64 * PAGE)), 0)
      }
    })
  )

  it.effect("and whose remains are damaged loses only what is damaged", () =>
    Effect.gen(function* () {
      const { disk, left } = yield* attempt({ seal, keepPartial: true })
      const bytes = disk.read(left[0]!)!.slice()
      bytes[1024 * 1024 + 2 * PAGE]! ^= 1
      bytes[1024 * 1024 + 3 * PAGE]! ^= 1
      disk.write(left[0]!, bytes)
      const report = yield* Effect.provide(Recover.run({ source: left[0]!, target: "/new.img" }), disk.layer)
      assert.deepStrictEqual(
        report.lost.map(({ firstPage, pages }) => [firstPage, pages]),
        [[0, 16]]
      )
      const kept = pagesOf(ram().subarray(16 * PAGE, 64 * PAGE))
      assert.deepStrictEqual(report.neverSaved, [{ idstr: "pc.ram", pages: 80 - kept }])
      assert.include(report.summary, { normalPages: kept, zeroPages: 0 })
      const { notes } = yield* Effect.provide(Effect.scoped(Image.open("/new.img")), disk.layer)
      assert.deepStrictEqual(notes.lost, [{ idstr: "pc.ram", pages: 96 - kept }])
      const { memory } = yield* Effect.provide(restored("/new.img"), disk.layer)
      assert.strictEqual(
        Buffer.compare(
          memory,
          ram()
            .fill(0, 0, 16 * PAGE)
            .fill(0, 64 * PAGE)
        ),
        0
      )
    })
  )
})

describe("a save whose image has its name when it", () => {
  const EIO: FileCalls.ErrnoError = Object.assign(new Error("EIO"), { code: "EIO" })

  /** What is done to the save while it renames its file. */
  const ends: ReadonlyArray<{
    readonly name: string
    readonly end: (saving: Fiber.Fiber<unknown, unknown>, calls: FileCalls.Calls) => Partial<FileCalls.Calls>
  }> = [
    {
      name: "is interrupted",
      end: (saving, calls) => ({
        rename: (from, to, done) => {
          saving.interruptUnsafe()
          calls.rename(from, to, done)
        }
      })
    },
    {
      name: "fails",
      end: (_, calls) => {
        let isNamed = false
        return {
          rename: (from, to, done) => {
            isNamed = true
            calls.rename(from, to, done)
          },
          fsync: (fd, done) => (isNamed ? queueMicrotask(() => done(EIO)) : calls.fsync(fd, done))
        }
      }
    }
  ]

  it.effect.each(ends)("$name keeps nothing, and does not say that it does", ({ end }) =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const said: Array<unknown> = []
      const log = Logger.make(({ message }) => void said.push(message))
      const block = yield* MemoryPages.make({ idstr: "pc.ram", memory: ram() })
      const exit = yield* Effect.gen(function* () {
        const calls = yield* FileCalls.FileCalls
        const begin = yield* Deferred.make<FileCalls.Calls>()
        const saving = yield* Deferred.await(begin).pipe(
          Effect.flatMap((faulty) =>
            Effect.provideService(
              save({ target: "/vm.img", blocks: [block], keepPartial: true }),
              FileCalls.FileCalls,
              faulty
            )
          ),
          Effect.forkChild
        )
        yield* Deferred.succeed(begin, { ...calls, ...end(saving, calls) })
        return yield* Fiber.await(saving)
      }).pipe(Effect.provide(disk.layer), Effect.provide(Logger.layer([log])))
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(disk.files(), ["/vm.img"])
      assert.deepStrictEqual(said, [])
      yield* Effect.provide(restored("/vm.img"), disk.layer)
    })
  )
})

describe("what is kept of a", () => {
  const sealedDisk = Effect.gen(function* () {
    const { disk, memory } = yield* savedDisk({ seal })
    // The last extent: by then, others have been written.
    change(disk, 1024 * 1024 + 95 * PAGE)
    change(disk, 1024 * 1024 + 94 * PAGE)
    return { disk, memory }
  })

  const partialOf = (disk: MemoryDisk.MemoryDisk): string => disk.files().find((name) => name.endsWith(".part"))!

  /** All pages that are there are those that were sent, and some are. */
  const isSalvaged = (disk: MemoryDisk.MemoryDisk, memory: Uint8Array) =>
    Effect.gen(function* () {
      const { lost, partial, summary } = yield* Recover.run({ source: partialOf(disk), target: "/new.img" })
      assert.isTrue(partial)
      assert.deepStrictEqual(lost, [])
      assert.isAbove(summary.normalPages, 0)
      const found = (yield* restored("/new.img")).memory
      for (let at = 0; at < memory.length; at += PAGE) {
        const page = found.subarray(at, at + PAGE)
        if (page.some((byte) => byte !== 0)) assert.strictEqual(Buffer.compare(page, memory.subarray(at, at + PAGE)), 0)
      }
    }).pipe(Effect.provide(disk.layer))

  it.effect("conversion whose source is damaged is what it had written", () =>
    Effect.gen(function* () {
      const { disk, memory } = yield* sealedDisk
      const converting = Effect.gen(function* () {
        const source = yield* Image.open("/vm.img")
        const options = { target: "/copy.img", keepPartial: true, channels: 1, batchSize: EXTENT }
        return yield* Effect.flip(Migration.make.convert({ source, ...options }))
      }).pipe(Effect.scoped)
      assert.strictEqual((yield* Effect.provide(converting, disk.layer))._tag, "IntegrityError")
      yield* isSalvaged(disk, memory)
    })
  )

  it.live("receive whose sender fails is what had arrived", () =>
    Effect.gen(function* () {
      const { disk, memory } = yield* sealedDisk
      const network = yield* VirtualNetwork.make()
      const at = SocketAddress.unix("/vm.sock")
      const listening = yield* Deferred.make<void>()
      const onListening = () => Effect.asVoid(Deferred.succeed(listening, undefined))
      const receiving = Migration.make.receive({
        listen: at,
        target: "/copy.img",
        channels: 1,
        keepPartial: true,
        onListening
      })
      const sending = Effect.gen(function* () {
        yield* Deferred.await(listening)
        const source = yield* Image.open("/vm.img")
        return yield* Migration.make.send({ source, to: at, channels: 1, batchSize: EXTENT, queueDepth: 1 })
      }).pipe(Effect.scoped)
      const exits = yield* Effect.all([Effect.exit(receiving), Effect.exit(sending)], { concurrency: 2 }).pipe(
        Effect.provide(disk.layer),
        Effect.provide(network.layer)
      )
      assert.deepStrictEqual(
        exits.map(({ _tag }) => _tag),
        ["Failure", "Failure"]
      )
      yield* isSalvaged(disk, memory)
    })
  )

  it.effect("save of memory that changes is pages as they were written, of whichever round", () =>
    Effect.gen(function* () {
      const disk = MemoryDisk.make()
      const memory = new Uint8Array(96 * PAGE).fill(1)
      let reads = 0
      // Six reads are a round; in the second one, the third fails.
      const block = failing(memory, () => ++reads > 8)
      const tracker = yield* DirtyTracker.marking([block])
      const pause = Effect.sync(() => {
        memory.fill(2)
        tracker.markDirty("pc.ram", 0, memory.length)
      })
      const live = { tracker, pause, maxRounds: 1 }
      const options = { seal, keepPartial: true, checkpointBytes: EXTENT, channels: 1, batchSize: EXTENT }
      const saving = Effect.flip(save({ target: "/vm.img", blocks: [block], live, ...options }))
      assert.strictEqual(yield* Effect.provide(saving, disk.layer), "gone")
      const recovering = Effect.gen(function* () {
        const { lost } = yield* Recover.run({ source: partialOf(disk), target: "/new.img" })
        assert.deepStrictEqual(lost, [])
        return (yield* restored("/new.img")).memory
      })
      const found = yield* Effect.provide(recovering, disk.layer)
      assert.strictEqual(found.indexOf(1), 32 * PAGE)
      assert.strictEqual(found.lastIndexOf(2), 32 * PAGE - 1)
      assert.strictEqual(found.indexOf(0), -1)
    })
  )
})
