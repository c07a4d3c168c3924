import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import type { Finding } from "../../src/format/Finding.ts"
import * as Image from "../../src/image/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Damage from "../support/qemu/damage.ts"
import * as Files from "../support/qemu/files.ts"
import * as Fixtures from "../support/qemu/fixtures.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Library from "../support/qemu/library.ts"
import * as Migrate from "../support/qemu/migrate.ts"
import * as Qemu from "../support/qemu/qemu.ts"
import * as QemuImage from "../support/qemu/qemuImage.ts"
import { describeQemu } from "../support/qemu/suite.ts"

const MIB = 1024 * 1024

/** The table says what QEMU 10.0 does; other versions find more. */
const isQemu10 = Qemu.isAtLeast(10, 0) && !Qemu.isAtLeast(10, 1)

/** A copy of a sound image, damaged. */
const inflict = ({ inflict }: Damage.Damage) =>
  Effect.gen(function* () {
    const { fresh, saved } = yield* Fixtures.Fixtures
    const sound = yield* saved({})
    const path = fresh("file")
    Fs.copyFileSync(sound.path, path)
    inflict(QemuImage.read(path))
    return { sound, path }
  })

/** What QEMU makes of an image, with or without multifd. */
const qemuVerdict = (sound: Fixtures.Saved, path: string, channels: number) =>
  Effect.gen(function* () {
    const { loaded, ram } = yield* Fixtures.loadLike(sound, { path, channels })
    if (loaded.signal !== null) return "crashes"
    if (loaded.status !== "completed") return "refuses"
    return Files.firstDifference(sound.ram.file, ram) === undefined ? "loads" : "loads wrong RAM"
  }).pipe(Effect.scoped)

const expectedOf = (verdict: Damage.QemuVerdict, channels: number) => {
  if (verdict !== "crashes with multifd") return verdict
  return channels === 0 ? "refuses" : "crashes"
}

const codes = (findings: ReadonlyArray<Finding>) => findings.map(({ code }) => code)

/** Restores the main memory to a file full of something, which is given back. */
const restoreMain = (path: string, size: number) =>
  Effect.gen(function* () {
    const target = (yield* Fixtures.Fixtures).fresh("ram")
    Fs.writeFileSync(target, Buffer.alloc(size, 0xa5))
    const file = { idstr: Guest.MAIN_BLOCK, path: target, size }
    const result = yield* Effect.result(Library.restore(path, [file]))
    const isUntouched = Fs.readFileSync(target).equals(Buffer.alloc(size, 0xa5))
    return { target, result, isUntouched }
  })

describeQemu("a damaged image", () => {
  layer(Layer.mergeAll(Fixtures.layer, Migration.layer), { excludeTestServices: true })((it) => {
    for (const damage of Damage.all) {
      const { code, error, name, qemu } = damage

      it.effect.skipIf(!isQemu10)(`${name}: QEMU 10.0 ${qemu}`, () =>
        Effect.gen(function* () {
          const { path, sound } = yield* inflict(damage)
          for (const channels of [0, 2]) {
            assert.strictEqual(yield* qemuVerdict(sound, path, channels), expectedOf(qemu, channels))
          }
        })
      )

      if (error === undefined) {
        it.effect(`${name}: is read like a sound one${code === undefined ? "" : `, with the warning ${code}`}`, () =>
          Effect.gen(function* () {
            const { path, sound } = yield* inflict(damage)
            const image = yield* Image.open(path)
            assert.deepStrictEqual(codes(image.findings), code === undefined ? [] : [code])
            const { target } = yield* restoreMain(path, sound.ram.size)
            assert.strictEqual(Files.firstDifference(sound.ram.file, target), undefined)
          })
        )
      } else {
        it.effect(`${name}: ${error}, ${code}, and no RAM is touched`, () =>
          Effect.gen(function* () {
            const { path, sound } = yield* inflict(damage)
            const found = yield* Effect.flip(Image.open(path))
            assert.strictEqual(found._tag, error)
            assert.include("findings" in found ? codes(found.findings) : [], code)
            const { isUntouched, result } = yield* restoreMain(path, sound.ram.size)
            assert.strictEqual(result._tag, "Failure")
            assert.isTrue(isUntouched)
          })
        )
      }
    }

    it.effect("many things wrong at once: all of them are found", () =>
      Effect.gen(function* () {
        const { fresh, saved } = yield* Fixtures.Fixtures
        const path = fresh("file")
        Fs.copyFileSync((yield* saved({})).path, path)
        const names = new Set(["page size 0", "junk in the bits behind the last page", "cut in the device state"])
        const damages = Damage.all.filter(({ name }) => names.has(name))
        const sound = QemuImage.read(path)
        for (const { inflict } of damages) inflict(sound)
        const { findings } = yield* Image.inspect(path)
        assert.includeMembers(
          codes(findings),
          damages.map(({ code }) => code!)
        )
      })
    )

    it.effect("a save that was cancelled: TruncatedImageError", () =>
      Effect.gen(function* () {
        const { fresh, saved } = yield* Fixtures.Fixtures
        const { ram } = yield* saved({ ram: { pattern: "random", size: 16 * MIB } })
        const path = fresh("file")
        yield* Effect.scoped(Effect.flatMap(Guest.start({ ram }), (guest) => Migrate.abandonSave(guest, { path })))
        const found = yield* Effect.flip(Image.open(path))
        assert.strictEqual(found._tag, "TruncatedImageError")
      })
    )

    it.effect("a plain migration stream in a file: UnsupportedImageError", () =>
      Effect.gen(function* () {
        const { saved } = yield* Fixtures.Fixtures
        const { path } = yield* saved({ mappedRam: false })
        const found = yield* Effect.flip(Image.open(path))
        assert.strictEqual(found._tag, "UnsupportedImageError")
      })
    )
  })
})

describeQemu("an image for a machine with other memory", () => {
  layer(Layer.mergeAll(Fixtures.layer, Migration.layer), { excludeTestServices: true })((it) => {
    const large: Fixtures.Recipe = { ram: { pattern: "random", size: 24 * MIB } }

    it.effect.skipIf(!isQemu10)("less than the guest has: QEMU leaves the rest as it was", () =>
      Effect.gen(function* () {
        const { fresh, saved } = yield* Fixtures.Fixtures
        const { path, ram } = yield* saved({})
        const target = fresh("ram")
        const size = 24 * MIB
        Fs.writeFileSync(target, Buffer.alloc(size, 0xa5))
        const guest = yield* Guest.start({ ram: { file: target, size }, incoming: true })
        assert.strictEqual((yield* Migrate.load(guest, { path })).status, "completed")
        assert.isTrue(Files.read(target, ram.size, size).every((byte) => byte === 0xa5))
      })
    )

    it.effect("less than the block to restore to: MigrationRequestError, and no RAM is touched", () =>
      Effect.gen(function* () {
        const { path } = yield* (yield* Fixtures.Fixtures).saved({})
        const { isUntouched, result } = yield* restoreMain(path, 24 * MIB)
        assert(result._tag === "Failure")
        assert.strictEqual(result.failure._tag, "MigrationRequestError")
        assert.isTrue(isUntouched)
      })
    )

    it.effect.skipIf(!isQemu10)("more than the guest has: QEMU refuses", () =>
      Effect.gen(function* () {
        const { fresh, saved } = yield* Fixtures.Fixtures
        const { path } = yield* saved(large)
        const guest = yield* Guest.start({ ram: { file: fresh("ram"), size: 16 * MIB }, incoming: true })
        const loaded = yield* Migrate.load(guest, { path })
        assert.strictEqual(loaded.status, "failed")
        assert.match(loaded.reason, /outside of ramblock/)
      })
    )

    it.effect("more than the block to restore to: MigrationRequestError, and no RAM is touched", () =>
      Effect.gen(function* () {
        const { path } = yield* (yield* Fixtures.Fixtures).saved(large)
        const { isUntouched, result } = yield* restoreMain(path, 16 * MIB)
        assert(result._tag === "Failure")
        assert.strictEqual(result.failure._tag, "MigrationRequestError")
        assert.isTrue(isUntouched)
      })
    )

    it.effect("a block that the image does not have: MigrationRequestError", () =>
      Effect.gen(function* () {
        const { fresh, saved } = yield* Fixtures.Fixtures
        const { path } = yield* saved({})
        const file = { idstr: Guest.DIMM_BLOCK, path: fresh("ram"), size: 16 * MIB }
        const found = yield* Effect.flip(Library.restore(path, [file]))
        assert.strictEqual(found._tag, "MigrationRequestError")
        assert.include(found.message, Guest.DIMM_BLOCK)
      })
    )
  })
})
