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
import * as Libvirt from "../support/qemu/libvirt.ts"
import * as Migrate from "../support/qemu/migrate.ts"
import { describeQemu } from "../support/qemu/suite.ts"

const XML = "<domain type='kvm'>\n  <name>Ærø</name>\n</domain>\n"
const COOKIE = "<qemu><slirpHelper/></qemu>\n"

/** A save as libvirt makes it: its own front first, then QEMU writes the stream behind that. */
const libvirtSave = (options: Libvirt.Options) =>
  Effect.gen(function* () {
    const { fresh, saved } = yield* Fixtures.Fixtures
    const path = fresh("file")
    const front = Libvirt.front(options)
    const like = yield* saved({})
    const guest = yield* Guest.start({ ram: like.ram })
    yield* Migrate.save(guest, { path, offset: front.length, channels: 2 })
    Files.patch(path, [{ position: 0, bytes: front }])
    return { path, like, streamAt: front.length }
  }).pipe(Effect.scoped)

describeQemu("a libvirt save in sparse format", () => {
  layer(Layer.mergeAll(Fixtures.layer, Migration.layer), { excludeTestServices: true })((it) => {
    it.effect("opens like any other image, with the domain's XML", () =>
      Effect.gen(function* () {
        const { like, path, streamAt } = yield* libvirtSave({ xml: XML, cookie: COOKIE, wasRunning: true })
        const image = yield* Image.open(path)
        assert.strictEqual(image.format, "libvirt-sparse")
        assert.strictEqual(image.offset, streamAt)
        assert.deepStrictEqual(image.findings, [])
        assert.strictEqual(image.libvirt?.xml, XML)
        assert.strictEqual(image.libvirt?.cookie, COOKIE)
        assert.isTrue(image.libvirt?.wasRunning)
        assert.strictEqual(image.blocks[0]!.usedLength, like.ram.size)
      })
    )

    it.effect("restores to the last byte", () =>
      Effect.gen(function* () {
        const { fresh } = yield* Fixtures.Fixtures
        const { like, path } = yield* libvirtSave({ xml: XML })
        const copy = fresh("ram")
        yield* Library.restore(path, [{ idstr: Guest.MAIN_BLOCK, path: copy, size: like.ram.size }])
        assert.strictEqual(Files.firstDifference(like.ram.file, copy), undefined)
      })
    )

    it.effect("converts to a plain image, which QEMU loads", () =>
      Effect.gen(function* () {
        const { fresh } = yield* Fixtures.Fixtures
        const { like, path } = yield* libvirtSave({ xml: XML, cookie: COOKIE })
        const converted = fresh("file")
        yield* Library.convert(path, converted)
        const { loaded, ram } = yield* Fixtures.loadLike(like, { path: converted, channels: 2 })
        assert.strictEqual(loaded.status, "completed", loaded.reason)
        assert.strictEqual(Files.firstDifference(like.ram.file, ram), undefined)
      })
    )

    const refused: Record<string, [Partial<Libvirt.Options>, string, string]> = {
      "that was never finished": [{ partial: true }, "TruncatedImageError", "libvirt-save-partial"],
      "that is compressed": [{ format: 1 }, "UnsupportedImageError", "libvirt-format-unsupported"],
      "of an unknown version": [{ version: 3 }, "UnsupportedImageError", "libvirt-version-unsupported"]
    }
    for (const [name, [options, error, code]] of Object.entries(refused)) {
      it.effect(`one ${name} is a typed error`, () =>
        Effect.gen(function* () {
          const path = (yield* Fixtures.Fixtures).fresh("file")
          Fs.writeFileSync(path, Libvirt.front({ xml: XML, ...options }))
          const found = yield* Effect.flip(Image.open(path))
          assert.strictEqual(found._tag, error)
          assert.deepStrictEqual("findings" in found ? found.findings.map((finding) => finding.code) : [], [code])
        })
      )
    }
  })
})
