/**
 * Our own rounds, with a real QEMU at either end: it writes to the memory that is saved, or receives what is sent.
 */
import { assert, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Fs from "node:fs"
import * as FilePages from "../../src/io/files/FilePages.ts"
import * as Image from "../../src/image/Image.ts"
import type * as Live from "../../src/snapshot/Live.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Progress from "../../src/migration/Progress.ts"
import type { SendOptions } from "../../src/migration/SendOptions.ts"
import * as DirtyTracker from "../../src/ram/DirtyTracker.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import type * as RamBlock from "../../src/ram/RamBlock.ts"
import * as Files from "../support/qemu/files.ts"
import * as Fixtures from "../support/qemu/fixtures.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Library from "../support/qemu/library.ts"
import * as Machine from "../support/qemu/machine.ts"
import * as Sockets from "../support/qemu/sockets.ts"
import { describeQemu } from "../support/qemu/suite.ts"
import * as Workload from "../support/qemu/workload.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const MIB = 1024 * 1024
const SIZE = 16 * MIB
/** The guest dirties its memory up to here. */
const END = 8 * MIB

/** Looks for dirty pages when the writer has written more, if it runs: however fast we are, there is something to do in each round. */
const awaiting = (tracker: DirtyTracker.DirtyTracker, written: Effect.Effect<void>): DirtyTracker.DirtyTracker => ({
  start: (blocks) =>
    Effect.map(tracker.start(blocks), (tracking) => ({
      ...tracking,
      collect: (dirty) => Effect.andThen(written, tracking.collect(dirty))
    }))
})

describeQemu("the memory of a running guest", () => {
  it.live.each(["hash", "copy"] as const)(
    "is saved as it was when the guest was stopped, found out by %s, and the guest goes on",
    (by) =>
      Effect.gen(function* () {
        const space = yield* Workspace.make
        const [ram, path, boot, stopped] = [
          space.ram("ram"),
          space.file("image"),
          space.file("boot"),
          space.ram("at-stop")
        ]
        Workload.writeDisk(boot, END)
        Workload.writeMemory(ram, SIZE, END)
        const guest = yield* Guest.start({ ram: { file: ram, size: SIZE }, boot })
        yield* Workload.reach(ram, 2)

        const progress = yield* Progress.make
        const block = yield* FilePages.make({ idstr: Guest.MAIN_BLOCK, path: ram, access: "read" })
        let running = true
        const goesOn = Effect.suspend(() => (running ? Machine.goesOn({ ram }) : Effect.void))
        const live: Live.Options<unknown> = {
          tracker: awaiting(DirtyTracker.comparing(by), goesOn),
          pause: Effect.map(guest.qmp.execute("stop"), () => void (running = false)),
          resume: Effect.orDie(Effect.asVoid(guest.qmp.execute("cont"))),
          beforeSwitchover: Effect.sync(() => Fs.copyFileSync(ram, stopped)),
          leave: "running",
          downtimeLimit: 0,
          maxRounds: 4
        }
        const migration = yield* Migration.Migration
        yield* migration.save({ target: path, blocks: [block], live, progress })

        const { ram: figures, status } = yield* progress.statistics.snapshot
        assert.strictEqual(status, "completed")
        assert.isAtLeast(figures!["dirty-sync-count"], 3)
        const copy = space.ram("copy")
        yield* Library.restore(path, [{ idstr: Guest.MAIN_BLOCK, path: copy, size: SIZE }])
        assert.strictEqual(Files.firstDifference(stopped, copy), undefined)
        assert.doesNotThrow(() => Workload.position(copy, END))
        yield* Workload.reach(ram, Workload.round(copy) + 2)
      }).pipe(Effect.scoped, Effect.provide(Migration.layer))
  )
})

interface Way {
  readonly recipe?: Fixtures.Recipe
  readonly send?: Partial<SendOptions> & Pick<Sockets.Options, "compression">
}

const ways: Record<string, Way> = {
  "over 3 channels": { send: { channels: 3 } },
  "over 3 channels, zero pages by the main channel": { send: { channels: 3, zeroPageDetection: "legacy" } },
  "over 2 channels, zero pages as they are": { send: { zeroPageDetection: "none" } },
  "without multifd": { send: { channels: 0 } },
  zstd: { send: { compression: "zstd" } },
  "to a machine of 8.0, whose sections are the marks": { recipe: { machine: "pc-i440fx-8.0" } }
}

/** Memory with a machine that writes to it all the time: single words, and zeros over whole pages. */
const busyMemory = Effect.fnUntraced(function* (path: string, others: ReadonlyArray<RamBlock.Readable<unknown>>) {
  const memory = Fs.readFileSync(path)
  const ram = yield* MemoryPages.make({ idstr: Guest.MAIN_BLOCK, memory })
  const blocks = others.map((block) => (block.idstr === ram.idstr ? ram : block))
  const tracker = yield* DirtyTracker.marking(blocks)
  let running = true
  let writes = 0
  const write = Effect.sync(() => {
    for (let i = 0; running && i < 40; i++) {
      const page = (writes++ * 37) % (memory.length / 4096)
      if (writes % 3 === 0) memory.fill(0, page * 4096, (page + 1) * 4096)
      else memory.writeUInt32LE(writes, page * 4096)
      tracker.markDirty(ram.idstr, page * 4096, 4096)
    }
  })
  yield* Effect.forkScoped(Effect.repeat(write, Schedule.spaced("1 millis")))
  const live: Live.Options = {
    tracker: awaiting(tracker, write),
    pause: Effect.sync(() => void (running = false)),
    downtimeLimit: 0,
    maxRounds: 4
  }
  return { blocks, live, memory }
})

describeQemu("memory that is sent to QEMU while somebody writes to it", () => {
  layer(Layer.mergeAll(Fixtures.layer, Migration.layer), { excludeTestServices: true })((it) => {
    for (const [name, { recipe = {}, send = {} }] of Object.entries(ways)) {
      it.effect(`${name}: arrives as it was at the end`, () =>
        Effect.gen(function* () {
          const { channels = 2, compression = "none" } = send
          const saved = yield* (yield* Fixtures.Fixtures).saved(recipe)
          const { guest } = yield* Fixtures.startLike(saved)
          const { loaded, uri } = yield* Sockets.listen(guest, "tcp:127.0.0.1:0", { channels, compression })
          const image = yield* Image.open(saved.path)
          const { blocks, live, memory } = yield* busyMemory(saved.ram.file, image.blocks)
          const progress = yield* Progress.make
          const migration = yield* Migration.Migration
          const source = { blocks, machineState: image.machineState, live }
          yield* migration.send({ ...send, source, to: Library.addressOf(uri), progress })
          assert.include(yield* loaded, { status: "completed", reason: "" })
          const { ram } = yield* progress.statistics.snapshot
          assert.isAtLeast(ram!["dirty-sync-count"], 4)
          const found = yield* Fixtures.blocksOf(guest)
          assert.isTrue(memory.equals(found.get(Guest.MAIN_BLOCK)!))
        }).pipe(Effect.scoped)
      )
    }
  })
})
