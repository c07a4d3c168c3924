import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Cli from "../support/qemu/cli.ts"
import * as Damage from "../support/qemu/damage.ts"
import * as Files from "../support/qemu/files.ts"
import * as Fixtures from "../support/qemu/fixtures.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Pattern from "../support/qemu/pattern.ts"
import * as QemuImage from "../support/qemu/qemuImage.ts"
import { describeQemu } from "../support/qemu/suite.ts"

const EXIT_CODES = {
  NotMigrationImageError: 3,
  UnsupportedImageError: 3,
  CorruptImageError: 4,
  TruncatedImageError: 5
}

/** One damage for each error. */
const examples = Object.entries(EXIT_CODES).map(([error, code]) => ({
  code,
  damage: Damage.all.find((damage) => damage.error === error)!
}))

/** Runs a command that has to succeed. */
const succeed = (...args: ReadonlyArray<string>) =>
  Effect.map(Cli.run(...args), ({ code, stderr, stdout }) => {
    assert.strictEqual(code, 0, stderr)
    return stdout
  })

describeQemu("the command", () => {
  layer(Fixtures.layer, { excludeTestServices: true })((it) => {
    for (const offset of [undefined, 12345]) {
      const place = offset === undefined ? "" : ` at offset=${offset}`
      const uri = (path: string) => (offset === undefined ? path : `file:${path},offset=${offset}`)

      it.effect(`info and verify: what is in an image of QEMU${place}`, () =>
        Effect.gen(function* () {
          const { path } = yield* (yield* Fixtures.Fixtures).saved({ channels: 2, offset })
          const expected = QemuImage.read(path, offset)
          const info = JSON.parse(yield* succeed("info", uri(path), "--json"))
          assert.strictEqual(info.format, "mapped-ram")
          assert.strictEqual(info.offset, offset ?? 0)
          assert.strictEqual(info.machine, expected.machine)
          assert.deepStrictEqual(info.capabilities, ["mapped-ram"])
          assert.strictEqual(info.runState, "prelaunch")
          assert.deepStrictEqual(
            info.blocks,
            expected.blocks.map((block) => ({
              idstr: block.idstr,
              usedLength: block.usedLength,
              pageSize: 4096,
              bitmapOffset: block.bitmapOffset,
              pagesOffset: block.pagesOffset,
              pages: block.usedLength / 4096,
              pagesPresent: QemuImage.pagesPresent(expected, block)
            }))
          )
          const names = info.deviceSections.map(({ name }: { readonly name: string }) => name)
          assert.includeMembers(names, ["timer", "cpu_common", "cpu", "apic", "fw_cfg", "globalstate"])
          yield* succeed("verify", uri(path))
        })
      )

      it.effect(`restore: the RAM of an image of QEMU${place}`, () =>
        Effect.gen(function* () {
          const { fresh, saved } = yield* Fixtures.Fixtures
          const { path, ram } = yield* saved({ channels: 2, offset })
          const copy = fresh("ram")
          yield* succeed("restore", uri(path), "--block", `${Guest.MAIN_BLOCK}=${copy}`, "--channels", "3")
          assert.strictEqual(Files.firstDifference(ram.file, copy), undefined)
        })
      )
    }

    it.effect("convert: QEMU loads what comes out", () =>
      Effect.gen(function* () {
        const { fresh, saved } = yield* Fixtures.Fixtures
        const original = yield* saved({ offset: 12345, channels: 2 })
        const path = fresh("file")
        yield* succeed("convert", `file:${original.path},offset=12345`, path)
        const { loaded, ram } = yield* Fixtures.loadLike(original, { path, channels: 2 })
        assert.strictEqual(loaded.status, "completed", loaded.reason)
        assert.strictEqual(Files.firstDifference(original.ram.file, ram), undefined)
      })
    )

    it.effect("save --device-state: QEMU loads it and has the RAM that was given", () =>
      Effect.gen(function* () {
        const { fresh, saved } = yield* Fixtures.Fixtures
        const original = yield* saved({})
        const [content, path] = [fresh("ram"), fresh("file")]
        Pattern.writeFile(content, "mixed", original.ram.size, 5)
        yield* succeed("save", "--block", `${Guest.MAIN_BLOCK}=${content}`, "--device-state", original.path, path)
        for (const channels of [0, 2]) {
          const { loaded, ram } = yield* Fixtures.loadLike(original, { path, channels })
          assert.strictEqual(loaded.status, "completed", loaded.reason)
          assert.strictEqual(Files.firstDifference(content, ram), undefined)
        }
      })
    )

    for (const { code, damage } of examples) {
      it.effect(`exit code ${code} for an image with: ${damage.name}`, () =>
        Effect.gen(function* () {
          const { fresh, saved } = yield* Fixtures.Fixtures
          const sound = yield* saved({})
          const [path, target] = [fresh("file"), fresh("ram")]
          Fs.copyFileSync(sound.path, path)
          damage.inflict(QemuImage.read(path))
          Fs.writeFileSync(target, Buffer.alloc(sound.ram.size, 0xa5))

          const restored = yield* Cli.run("restore", path, "--block", `${Guest.MAIN_BLOCK}=${target}`)
          assert.strictEqual(restored.code, code, restored.stderr)
          assert.isTrue(Fs.readFileSync(target).equals(Buffer.alloc(sound.ram.size, 0xa5)))
          const verified = yield* Cli.run("verify", path, "--json")
          assert.strictEqual(verified.code, code, verified.stderr)
          assert.include(verified.stdout, `"${damage.code}"`)
        })
      )
    }
  })
})
