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
import * as QemuImage from "../support/qemu/qemuImage.ts"
import * as Relayout from "../support/qemu/relayout.ts"
import { describeQemu } from "../support/qemu/suite.ts"

const MIB = 1024 * 1024

/** What a writer is free to do. */
const layouts: Record<string, Relayout.Options> = {
  "regions at multiples of a page": { alignment: 4096 },
  "regions at multiples of 64 KiB": { alignment: 65536 },
  "the blocks in another order": { reversed: true },
  "regions from the back of the file to the front": { backwards: true },
  "bitmaps behind the end of the stream": { bitmapsBehind: true, alignment: 4096 },
  "zero pages stored": { zerosStored: true },
  "junk where the bit is clear": { junkUnderClearBits: true },
  "another number of RAM's section": { sectionId: 7777 },
  "no PART section": { parts: 0 },
  "many PART sections": { parts: 100 },
  "no SWITCHOVER_START": { switchoverStart: false },
  "something else behind the description": { trailer: 100_000 },
  "all of it at once": {
    ...{ alignment: 4096, reversed: true, bitmapsBehind: true, junkUnderClearBits: true, sectionId: 3, parts: 0 },
    ...{ switchoverStart: false, trailer: 1 }
  }
}

describeQemu("an image with", () => {
  layer(Layer.mergeAll(Fixtures.layer, Migration.layer), { excludeTestServices: true })((it) => {
    for (const [name, options] of Object.entries(layouts)) {
      it.effect(`${name}: read by QEMU, and by us`, () =>
        Effect.gen(function* () {
          const { fresh, saved } = yield* Fixtures.Fixtures
          const original = yield* saved({ ram: { pattern: "mixed", size: 8 * MIB } })
          const [path, copy] = [fresh("file"), fresh("ram")]
          Relayout.write(QemuImage.read(original.path), path, options)
          for (const channels of [0, 2]) {
            const { loaded, ram } = yield* Effect.scoped(Fixtures.loadLike(original, { path, channels }))
            assert.strictEqual(loaded.status, "completed", loaded.reason)
            assert.strictEqual(Files.firstDifference(original.ram.file, ram), undefined)
          }

          const image = yield* Image.open(path)
          assert.deepStrictEqual(image.findings, [])
          Fs.writeFileSync(copy, Buffer.alloc(original.ram.size, 0xa5))
          yield* Library.restore(path, [{ idstr: Guest.MAIN_BLOCK, path: copy, size: original.ram.size }])
          assert.strictEqual(Files.firstDifference(original.ram.file, copy), undefined)
        })
      )
    }
  })
})
