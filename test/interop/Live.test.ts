import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Image from "../../src/image/Image.ts"
import { itSpace } from "../support/qemu/it.ts"
import * as Files from "../support/qemu/files.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Library from "../support/qemu/library.ts"
import * as Migrate from "../support/qemu/migrate.ts"
import * as QemuImage from "../support/qemu/qemuImage.ts"
import { describeQemu } from "../support/qemu/suite.ts"
import * as Workload from "../support/qemu/workload.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const MIB = 1024 * 1024
const SIZE = 16 * MIB
/** The guest dirties its memory up to here. */
const END = 8 * MIB

/** Runs a guest that dirties its memory, and saves it while it runs. */
const saveRunning = (space: Workspace.Workspace, channels: number) =>
  Effect.gen(function* () {
    const [ram, path, boot] = [space.ram("ram"), space.file("image"), space.file("boot")]
    Workload.writeDisk(boot, END)
    Workload.writeMemory(ram, SIZE, END)
    const guest = yield* Guest.start({ ram: { file: ram, size: SIZE }, boot })
    yield* Workload.reach(ram, 2)
    yield* Migrate.save(guest, { path, channels, passes: 3 })
    return { ram, path }
  })

/** Pages that were written in an early round and are zero now: bytes under a clear bit. */
const stalePages = (path: string): number => {
  const image = QemuImage.read(path)
  const block = QemuImage.block(image, Guest.MAIN_BLOCK)
  const region = Files.read(path, block.pagesOffset, block.usedLength)
  const content = QemuImage.content(image, block)
  const isStale = (page: number) => region.compare(content, page, page + 4096, page, page + 4096) !== 0
  return Array.from({ length: SIZE / 4096 }, (_, page) => page * 4096).filter(isStale).length
}

describeQemu("a guest that was saved while it ran", () => {
  for (const channels of [0, 4]) {
    itSpace(
      `over ${channels} channels: restores to the memory of the moment it stopped, and goes on`,
      function* (space) {
        const { path, ram } = yield* saveRunning(space, channels)
        assert.isAbove(stalePages(path), 0)

        const copy = space.ram("copy")
        Fs.writeFileSync(copy, Buffer.alloc(SIZE, 0xa5))
        yield* Library.restore(path, [{ idstr: Guest.MAIN_BLOCK, path: copy, size: SIZE }])
        assert.strictEqual(Files.firstDifference(ram, copy), undefined)
        assert.doesNotThrow(() => Workload.position(copy, END))
        const memory = yield* Library.restoreToMemory(path, Guest.MAIN_BLOCK, SIZE)
        assert.isTrue(Fs.readFileSync(ram).equals(memory))

        const [converted, revived, boot] = [space.file("converted"), space.ram("revived"), space.file("boot2")]
        yield* Library.convert(path, converted)
        assert.strictEqual(stalePages(converted), 0)
        Workload.writeDisk(boot, END)
        const guest = yield* Guest.start({ ram: { file: revived, size: SIZE }, boot, incoming: true })
        yield* Migrate.loadCompletely(guest, { path: converted, channels })
        yield* Workload.reach(revived, Workload.round(ram) + 2)
        yield* guest.qmp.execute("stop")
        assert.doesNotThrow(() => Workload.position(revived, END))
      }
    )
  }
  it.live("by a background snapshot, whose bitmaps QEMU never writes: TruncatedImageError", (context) =>
    Effect.gen(function* () {
      const space = yield* Workspace.make
      const [path, boot] = [space.file("image"), space.file("boot")]
      Workload.writeDisk(boot, END)
      const guest = yield* Guest.start({ ram: { size: SIZE }, boot })
      yield* Migrate.save(guest, { path, capabilities: ["background-snapshot"] }).pipe(
        Effect.catchTag("QmpError", ({ message }) => Effect.sync(() => context.skip(message)))
      )
      const found = yield* Effect.flip(Image.open(path))
      assert.strictEqual(found._tag, "TruncatedImageError")
      assert.deepStrictEqual("findings" in found ? found.findings.map(({ code }) => code) : [], ["ram-end-missing"])
    })
  )
})
