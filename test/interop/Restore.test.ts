import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import * as Image from "../../src/image/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Files from "../support/qemu/files.ts"
import * as Fixtures from "../support/qemu/fixtures.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Library from "../support/qemu/library.ts"
import * as Migrate from "../support/qemu/migrate.ts"
import * as QemuImage from "../support/qemu/qemuImage.ts"
import { describeQemu } from "../support/qemu/suite.ts"

const MIB = 1024 * 1024

/** How QEMU saves, by the name of the test. */
const recipes: Record<string, Fixtures.Recipe> = {
  "without multifd": {},
  "over 1 channel": { channels: 1 },
  "over 2 channels": { channels: 2 },
  "over 8 channels": { channels: 8 },
  "with direct-io": { channels: 2, directIo: true },
  "at an aligned offset=": { offset: 4 * MIB },
  "at an offset= that nothing aligns": { offset: 12345, channels: 2 },
  "of a q35": { machine: "q35" },
  "of an old machine type": { machine: "pc-i440fx-8.0" },
  "with a second DIMM": { dimm: { pattern: "alternating", size: 8 * MIB }, channels: 2 },
  "of random RAM": { ram: { pattern: "random", size: 8 * MIB }, channels: 2 },
  "of half-zero RAM": { ram: { pattern: "half-zero", size: 8 * MIB }, channels: 2 },
  "of alternating pages": { ram: { pattern: "alternating", size: 8 * MIB }, channels: 2 },
  "of all-zero RAM": { ram: { pattern: "zero", size: 8 * MIB }, channels: 2 },
  "of text": { ram: { pattern: "text", size: 8 * MIB }, channels: 2 },
  "with zero pages stored": { channels: 2, parameters: { "zero-page-detection": "none" } }
}

/** What an image says of its blocks. */
const described = ({ bitmapOffset, idstr, pagesOffset, usedLength }: QemuImage.Block | Image.ImageBlock) => ({
  idstr,
  usedLength,
  bitmapOffset,
  pagesOffset
})

/** All of a block through the image's random access. */
const contentOf = (image: Image.Image, { idstr, usedLength }: QemuImage.Block) => image.readPages(idstr, 0, usedLength)

/** A file full of something else than zeros, to show that nothing of it stays. */
const stale = (path: string, size: number) => Fs.writeFileSync(path, Buffer.alloc(size, 0xa5))

describeQemu("an image that QEMU saved", () => {
  layer(Layer.mergeAll(Fixtures.layer, Migration.layer), { excludeTestServices: true })((it) => {
    for (const [name, recipe] of Object.entries(recipes)) {
      it.effect(`${name}: opens, and says what is in it`, () =>
        Effect.gen(function* () {
          const saved = yield* (yield* Fixtures.Fixtures).saved(recipe)
          const expected = QemuImage.read(saved.path, recipe.offset)
          const image = yield* Image.open({ path: saved.path, offset: recipe.offset })

          assert.strictEqual(image.format, "mapped-ram")
          assert.strictEqual(image.machine, expected.machine)
          assert.deepStrictEqual(image.capabilities, ["mapped-ram"])
          assert.deepStrictEqual(image.findings, [])
          assert.deepStrictEqual(image.blocks.map(described), expected.blocks.map(described))
          for (const [i, block] of expected.blocks.entries()) {
            assert.strictEqual(image.blocks[i]!.pagesPresent, QemuImage.pagesPresent(expected, block), block.idstr)
            assert.isTrue(Buffer.from(yield* contentOf(image, block)).equals(QemuImage.content(expected, block)))
          }
        })
      )

      it.effect(`${name}: restores to the last byte, into files and into memory`, () =>
        Effect.gen(function* () {
          const { fresh, saved } = yield* Fixtures.Fixtures
          const { dimm, path, ram } = yield* saved(recipe)
          const source = { path, offset: recipe.offset }
          const [ramCopy, dimmCopy] = [fresh("ram"), fresh("ram")]
          stale(ramCopy, ram.size)
          const files = [{ idstr: Guest.MAIN_BLOCK, path: ramCopy, size: ram.size }]
          if (dimm !== undefined) files.push({ idstr: Guest.DIMM_BLOCK, path: dimmCopy, size: dimm.size })
          yield* Library.restore(source, files)
          const memory = yield* Library.restoreToMemory(source, Guest.MAIN_BLOCK, ram.size, { channels: 2 })

          assert.strictEqual(Files.firstDifference(ram.file, ramCopy), undefined)
          if (dimm !== undefined) assert.strictEqual(Files.firstDifference(dimm.file, dimmCopy), undefined)
          assert.isTrue(Fs.readFileSync(ram.file).equals(memory))
        })
      )
    }

    it.effect("with x-ignore-shared, which QEMU 10.0 cannot load itself: opens, and its blocks can be read", () =>
      Effect.gen(function* () {
        const { fresh } = yield* Fixtures.Fixtures
        const [path, bios] = [fresh("file"), fresh("file")]
        const guest = yield* Guest.start({ ram: { size: 16 * MIB } })
        yield* Migrate.save(guest, { path, capabilities: ["x-ignore-shared"] })
        yield* guest.qmp.execute("pmemsave", { val: Guest.FIRMWARE.address, size: Guest.FIRMWARE.size, filename: bios })

        const image = yield* Image.open(path)
        assert.deepStrictEqual(image.capabilities, ["x-ignore-shared", "mapped-ram"])
        assert.deepStrictEqual(image.findings, [])
        assert.strictEqual(
          image.blocks.find(({ idstr }) => idstr === Guest.FIRMWARE.idstr)!.address,
          Guest.FIRMWARE.address
        )
        const content = yield* image.readPages(Guest.FIRMWARE.idstr, 0, Guest.FIRMWARE.size)
        assert.isTrue(Fs.readFileSync(bios).equals(content))
      })
    )
  })
})
