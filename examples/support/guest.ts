/**
 * The second half of the demonstration: the memory of a real guest, from QEMU to us and back.
 *
 *     QEMU ── migrate ──▶ image ── restore ──▶ RAM file    equal to the guest's
 *                           │
 *                        convert ──▶ image ── migrate-incoming ──▶ another QEMU, which goes on running
 */
import { FilePages, Image, Migration } from "effect-multifd"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Content from "./content.ts"
import * as Qemu from "./qemu.ts"
import { mebibytes, step, watched } from "./show.ts"

const SIZE = 256 * 2 ** 20

const sameFile = (a: string, b: string): boolean => Buffer.compare(Fs.readFileSync(a), Fs.readFileSync(b)) === 0

/** A guest whose RAM held something before its firmware began to run. */
const writeRam = (path: string): void => {
  const memory = new Uint8Array(SIZE)
  Content.write(memory, 4)
  Fs.writeFileSync(path, memory)
}

export const guestThereAndBack = Effect.fnUntraced(function* (folder: string, channels: number) {
  const migration = yield* Migration.Migration
  const at = (name: string) => Path.join(folder, name)

  writeRam(at("guest.ram"))
  const guest = yield* Qemu.start({ ram: at("guest.ram"), size: SIZE, socket: at("guest.sock") })
  yield* Effect.sleep("500 millis")
  yield* guest.execute("stop")
  yield* Qemu.migrate(guest, "migrate", at("guest.img"), channels)
  yield* step("guest", `ran for half a second and was saved by QEMU, ${mebibytes(SIZE)}`)

  const image = yield* Image.open(at("guest.img"))
  const sections = `${image.deviceSections.length} device sections`
  yield* step("info", `machine ${image.machine}, ${image.blocks.length} RAM blocks, ${sections}`)
  yield* watched("restore", "the guest's RAM into a file", (progress) =>
    Effect.scoped(
      Effect.gen(function* () {
        const place = { idstr: Qemu.RAM, path: at("restored.ram"), length: SIZE }
        const ram = yield* FilePages.make({ ...place, access: "read-write" })
        return yield* migration.restore({ source: image, blocks: [ram], channels, progress })
      })
    )
  )
  if (!sameFile(at("guest.ram"), at("restored.ram"))) return yield* Effect.die("the restored RAM differs")
  yield* step("compare", "the file and the guest's RAM are the same")

  yield* watched("convert", "the image into a new one", (progress) =>
    migration.convert({ source: image, target: at("converted.img"), channels, progress })
  )
  const other = yield* Qemu.start({ ram: at("other.ram"), size: SIZE, socket: at("other.sock"), incoming: true })
  yield* Qemu.migrate(other, "migrate-incoming", at("converted.img"), channels)
  if (!sameFile(at("guest.ram"), at("other.ram"))) return yield* Effect.die("the RAM of the new guest differs")
  yield* other.execute("cont")
  yield* step("QEMU", "has loaded what we wrote; the guest's RAM is the same, and it runs on")
})
