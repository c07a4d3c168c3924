import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import type * as Location from "../../src/image/Location.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Seal from "../../src/image/Seal.ts"
import * as Verify from "../../src/image/Verify.ts"
import * as Files from "../support/qemu/files.ts"
import * as Fixtures from "../support/qemu/fixtures.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Library from "../support/qemu/library.ts"
import * as Migrate from "../support/qemu/migrate.ts"
import * as QemuImage from "../support/qemu/qemuImage.ts"
import { describeQemu } from "../support/qemu/suite.ts"

const key = new Uint8Array(32).fill(7)

const seals = { crc32: {}, sha256: { algorithm: "sha256" }, "hmac-sha256": { key } } as const

/** Every way in which QEMU reads a file. */
const ways: ReadonlyArray<Pick<Migrate.Options, "channels" | "directIo">> = [
  {},
  { channels: 2 },
  { channels: 3, directIo: true }
]

const loads = (saved: Fixtures.Saved, image: Migrate.Options) =>
  Effect.gen(function* () {
    const { loaded, ram } = yield* Fixtures.loadLike(saved, image)
    assert.strictEqual(loaded.status, "completed", loaded.reason)
    assert.strictEqual(Files.firstDifference(saved.ram.file, ram), undefined)
  }).pipe(Effect.scoped)

/** All of it, with and without a key where there is none. */
const isSound = Effect.fnUntraced(function* (location: Location.Location, key?: Uint8Array | undefined) {
  const { error, inspection } = yield* Effect.scoped(Verify.run(location, { key }))
  assert.isUndefined(error)
  return inspection
})

/** Copies a file over another one as onto a device: nothing is cut off. Where holes are left out, padding stays as it was. */
const copyOver = ({ path, recipe }: Fixtures.Saved, target: string, leaveOutHoles: boolean) => {
  const { offset = 0 } = recipe
  const bytes = Fs.readFileSync(path)
  const holes = leaveOutHoles
    ? QemuImage.read(path, offset).blocks.map(({ bitmapLength, bitmapOffset, pagesOffset }) => ({
        from: bitmapOffset + bitmapLength,
        to: pagesOffset
      }))
    : []
  const file = Fs.openSync(target, "r+")
  let at = offset
  for (const { from, to } of [...holes, { from: bytes.length, to: bytes.length }]) {
    Fs.writeSync(file, bytes, at, from - at, at)
    at = to
  }
  Fs.closeSync(file)
}

describeQemu("a sealed image", () => {
  layer(Layer.mergeAll(Fixtures.layer, Migration.layer), { excludeTestServices: true })((it) => {
    for (const [name, recipe] of Object.entries({
      "a pc": {},
      "a q35": { machine: "q35" },
      "a pc without a description": { machine: "pc,suppress-vmdesc=on" },
      "a pc, at an offset=": { offset: 12345, channels: 2 }
    } satisfies Record<string, Fixtures.Recipe>)) {
      it.effect(`of ${name}, sealed in place: QEMU loads it as before, with multifd and without`, () =>
        Effect.gen(function* () {
          const { fresh, saved } = yield* Fixtures.Fixtures
          const original = yield* saved(recipe)
          const path = fresh("file")
          Fs.copyFileSync(original.path, path)
          const location = { path, offset: "offset" in recipe ? recipe.offset : undefined }
          const before = yield* isSound(location)
          assert.isUndefined(before.seal)
          yield* Seal.run(location)
          const after = yield* isSound(location)
          assert.isDefined(after.seal)
          assert.deepStrictEqual(after.findings, before.findings)
          for (const way of ways) yield* loads(original, { ...location, ...way })
        })
      )
    }

    it.effect("over which QEMU saves: nothing is left of the seal", () =>
      Effect.gen(function* () {
        const { fresh, saved } = yield* Fixtures.Fixtures
        const original = yield* saved({})
        for (const offset of [undefined, 12345]) {
          const location = { path: fresh("file"), offset }
          if (offset !== undefined) Fs.writeFileSync(location.path, "")
          yield* Library.convert(original.path, location)
          assert.isDefined((yield* isSound(location)).seal)
          const { guest, loaded } = yield* Fixtures.loadLike(original, location)
          assert.strictEqual(loaded.status, "completed", loaded.reason)
          yield* Migrate.save(guest, location)
          assert.isUndefined((yield* isSound(location)).seal)
        }
      }).pipe(Effect.scoped)
    )

    for (const [how, leaveOutHoles] of [
      ["with holes", true],
      ["all of it", false]
    ] as const) {
      it.effect(`over which another image of QEMU's is copied, ${how}: its checksums are not its own`, () =>
        Effect.gen(function* () {
          const { fresh, saved } = yield* Fixtures.Fixtures
          for (const offset of [undefined, 12345]) {
            const original = yield* saved({ offset })
            const location = { path: fresh("file"), offset }
            if (offset !== undefined) Fs.writeFileSync(location.path, "")
            yield* Library.convert({ path: original.path, offset }, location)
            const next = yield* saved({ offset, ram: { pattern: "alternating", size: original.ram.size } })
            copyOver(next, location.path, leaveOutHoles)

            const { error } = yield* Effect.scoped(Verify.run(location))
            assert.strictEqual(error?._tag, "SealMismatchError")
            const ram = yield* Library.restoreToMemory(location, Guest.MAIN_BLOCK, next.ram.size, {}, { verify: false })
            assert.isTrue(ram.equals(Fs.readFileSync(next.ram.file)))
            yield* Seal.run(location)
            yield* isSound(location)
            yield* loads(next, { ...location, channels: 2 })
          }
        })
      )
    }

    it.effect("with the checkpoints of a save that would have been kept: QEMU loads it, with multifd and without", () =>
      Effect.gen(function* () {
        const { fresh, saved } = yield* Fixtures.Fixtures
        const original = yield* saved({})
        const path = fresh("file")
        yield* Library.convert(original.path, path, { seal: { algorithm: "sha256" }, keepPartial: true })
        yield* isSound({ path })
        for (const way of ways) yield* loads(original, { path, ...way })
      })
    )

    for (const [algorithm, seal] of Object.entries(seals)) {
      it.effect(`that we wrote, with ${algorithm}: QEMU loads it, with multifd and without`, () =>
        Effect.gen(function* () {
          const { fresh, saved } = yield* Fixtures.Fixtures
          for (const machine of ["pc", "q35"]) {
            const original = yield* saved({ machine })
            const path = fresh("file")
            yield* Library.convert(original.path, path, { seal })
            assert.strictEqual((yield* isSound({ path }, "key" in seal ? key : undefined)).seal!.algorithm, algorithm)
            for (const way of ways) yield* loads(original, { path, ...way })
          }
        })
      )
    }
  })
})
