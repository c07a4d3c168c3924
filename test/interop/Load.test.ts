import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as Image from "../../src/image/Image.ts"
import type { Location } from "../../src/image/Location.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Files from "../support/qemu/files.ts"
import * as Fixtures from "../support/qemu/fixtures.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Library from "../support/qemu/library.ts"
import * as Migrate from "../support/qemu/migrate.ts"
import * as Pattern from "../support/qemu/pattern.ts"
import * as QemuImage from "../support/qemu/qemuImage.ts"
import { describeQemu } from "../support/qemu/suite.ts"

const MIB = 1024 * 1024

const VIRTIO_MEM = [
  ["-m", "16M,slots=2,maxmem=512M"],
  ["-object", "memory-backend-ram,id=vm0,size=128M"],
  ["-device", "pcie-root-port,id=rp", "-device", "virtio-mem-pci,id=v0,memdev=vm0,requested-size=16M,bus=rp"]
].flat()

/** What QEMU saves, by the name of the test; each is converted and loaded again. */
const recipes: Record<string, Fixtures.Recipe> = {
  "of a pc": {},
  "that lay at an offset=": { offset: 12345, channels: 2 },
  "of a q35": { machine: "q35" },
  "of an old machine type": { machine: "pc-i440fx-8.0" },
  "with a second DIMM": { dimm: { pattern: "alternating", size: 16 * MIB }, channels: 2 },
  "of all-zero RAM": { ram: { pattern: "zero", size: 16 * MIB }, channels: 2 },
  "with a uuid": {
    args: ["-uuid", "00112233-4455-6677-8899-aabbccddeeff"],
    capabilities: ["validate-uuid"]
  },
  "with devices that are set up early": { machine: "q35", args: VIRTIO_MEM },
  "without section footers": { args: ["-global", "migration.send-section-footer=off"] },
  "without SWITCHOVER_START": { args: ["-global", "migration.send-switchover-start=off"] },
  "without a description": { machine: "pc,suppress-vmdesc=on" }
}

/** Every way in which QEMU reads a file. */
const ways: ReadonlyArray<Pick<Migrate.Options, "channels" | "directIo">> = [
  {},
  { channels: 2 },
  { channels: 3, directIo: true }
]

/** Has a guest like the saved one load an image of ours, and fails unless RAM arrived whole. */
const loadsAs = (saved: Fixtures.Saved, expectedRam: string, image: Migrate.Options) =>
  Effect.gen(function* () {
    const capabilities = saved.recipe.capabilities ?? []
    const { dimm, guest, loaded, ram } = yield* Fixtures.loadLike(saved, { capabilities, ...image })
    assert.strictEqual(loaded.status, "completed", loaded.reason)
    assert.strictEqual(Files.firstDifference(expectedRam, ram), undefined)
    if (saved.dimm !== undefined) assert.strictEqual(Files.firstDifference(saved.dimm.file, dimm), undefined)
    return guest
  })

/** The kinds of all findings in an image, warnings included. */
const findingsOf = (location: Location) =>
  Effect.map(Image.inspect(location), ({ findings }) => findings.map(({ code }) => code))

describeQemu("an image that we wrote", () => {
  layer(Layer.mergeAll(Fixtures.layer, Migration.layer), { excludeTestServices: true })((it) => {
    for (const [name, recipe] of Object.entries(recipes)) {
      it.effect(`converted from one ${name}: QEMU loads it, with multifd and without`, () =>
        Effect.gen(function* () {
          const { fresh, saved } = yield* Fixtures.Fixtures
          const { offset } = recipe
          const original = yield* saved(recipe)
          const path = fresh("file")
          yield* Library.convert({ path: original.path, offset }, path)
          assert.deepStrictEqual(yield* findingsOf({ path }), yield* findingsOf({ path: original.path, offset }))
          for (const way of [{}, { channels: 2 }]) {
            yield* Effect.scoped(loadsAs(original, original.ram.file, { path, ...way }))
          }
        })
      )
    }

    it.effect("converted: everything lies where QEMU puts it, and the device state is the same to the byte", () =>
      Effect.gen(function* () {
        const { fresh, saved } = yield* Fixtures.Fixtures
        const original = yield* saved({ offset: 12345, channels: 2 })
        const likeQemu = yield* saved({})
        const path = fresh("file")
        yield* Library.convert({ path: original.path, offset: 12345 }, path, { channels: 3 })

        const [ours, theirs] = [QemuImage.read(path), QemuImage.read(likeQemu.path)]
        assert.deepStrictEqual(ours.blocks, theirs.blocks)
        assert.strictEqual(ours.startEosAt, theirs.startEosAt)
        const before = QemuImage.read(original.path, 12345)
        assert.isTrue(QemuImage.deviceState(ours).equals(QemuImage.deviceState(before)))
      })
    )

    it.effect("converted: every block reaches the guest, the firmware included", () =>
      Effect.gen(function* () {
        const { fresh, saved } = yield* Fixtures.Fixtures
        const original = yield* saved({})
        const [path, again] = [fresh("file"), fresh("file")]
        yield* Library.convert(original.path, path)
        const guest = yield* loadsAs(original, original.ram.file, { path })
        yield* Migrate.save(guest, { path: again })

        const [before, after] = [QemuImage.read(original.path), QemuImage.read(again)]
        for (const [i, block] of before.blocks.entries()) {
          const arrived = QemuImage.content(after, after.blocks[i]!)
          assert.isTrue(QemuImage.content(before, block).equals(arrived), block.idstr)
        }
      })
    )

    it.effect("of other RAM beside the machine of an image: QEMU goes on with that RAM", () =>
      Effect.gen(function* () {
        const { fresh, saved } = yield* Fixtures.Fixtures
        const original = yield* saved({})
        const [ram, path] = [fresh("ram"), fresh("file")]
        Pattern.writeFile(ram, "mixed", original.ram.size, 77)
        assert.notStrictEqual(Files.firstDifference(ram, original.ram.file), undefined)
        yield* Library.saveWithStateOf(original.path, [{ idstr: Guest.MAIN_BLOCK, path: ram }], path)
        for (const way of ways) yield* Effect.scoped(loadsAs(original, ram, { path, ...way }))
      })
    )

    it.effect("of other firmware: QEMU has it where the machine maps it", () =>
      Effect.gen(function* () {
        const { fresh, saved } = yield* Fixtures.Fixtures
        const original = yield* saved({})
        const [bios, path, seen] = [fresh("file"), fresh("file"), fresh("file")]
        Pattern.writeFile(bios, "mixed", Guest.FIRMWARE.size, 78)
        yield* Library.saveWithStateOf(original.path, [{ idstr: Guest.FIRMWARE.idstr, path: bios }], path)
        const guest = yield* loadsAs(original, original.ram.file, { path, channels: 2 })
        yield* guest.qmp.execute("pmemsave", { val: Guest.FIRMWARE.address, size: Guest.FIRMWARE.size, filename: seen })
        assert.strictEqual(Files.firstDifference(bios, seen), undefined)
      })
    )

    it.effect("at an offset inside a file: what stood in front of it is left alone, and QEMU loads it", () =>
      Effect.gen(function* () {
        const { fresh, saved } = yield* Fixtures.Fixtures
        const original = yield* saved({})
        const [path, offset] = [fresh("file"), 54321]
        const front = Buffer.alloc(offset, "front ")
        Fs.writeFileSync(path, front)
        yield* Library.convert(original.path, { path, offset })
        assert.isTrue(Files.read(path, 0, offset).equals(front))
        for (const way of ways) {
          yield* Effect.scoped(loadsAs(original, original.ram.file, { path, offset, ...way }))
        }
      })
    )

    const settings: Record<string, Parameters<typeof Library.convert>[2]> = {
      "1 channel": { channels: 1 },
      "8 channels and a queue of 1": { channels: 8, queueDepth: 1 },
      "batches of one page": { batchSize: 4096 },
      "batches of 3 MiB": { batchSize: 3 * MIB },
      "nothing coalesced": { coalescePages: 0 },
      "long gaps coalesced": { coalescePages: 64 },
      "direct I/O": { directIo: true }
    }
    for (const [name, options] of Object.entries(settings)) {
      it.effect(`with ${name}: QEMU loads it`, () =>
        Effect.gen(function* () {
          const { fresh, saved } = yield* Fixtures.Fixtures
          const original = yield* saved({})
          const path = fresh("file")
          yield* Library.convert(original.path, path, options)
          yield* loadsAs(original, original.ram.file, { path, channels: 2 })
        })
      )
    }

    it.effect("of this process's memory: a machine without hardware loads it", () =>
      Effect.gen(function* () {
        const { fresh } = yield* Fixtures.Fixtures
        const migration = yield* Migration.Migration
        const [path, content, ram, size] = [fresh("file"), fresh("ram"), fresh("ram"), 16 * MIB]
        Pattern.writeFile(content, "mixed", size, 79)
        const memory = Fs.readFileSync(content)
        const block = yield* MemoryPages.make({ idstr: Guest.MAIN_BLOCK, memory })
        yield* migration.save({ target: path, blocks: [block], machineState: MachineState.empty({}) })

        const guest = yield* Guest.start({ machine: "none", ram: { file: ram, size }, incoming: true })
        const loaded = yield* Migrate.load(guest, { path, channels: 2 })
        assert.strictEqual(loaded.status, "completed", loaded.reason)
        assert.strictEqual(Files.firstDifference(content, ram), undefined)
      })
    )
  })
})
