import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Damage from "./support/Damage.ts"
import * as Files from "./support/Files.ts"
import * as Fixtures from "./support/Fixtures.ts"
import * as Qemu from "./support/Qemu.ts"
import * as QemuImage from "./support/QemuImage.ts"
import { describeQemu } from "./support/suite.ts"

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

describeQemu("a damaged image", () => {
  layer(Fixtures.layer, { excludeTestServices: true, timeout: "60 seconds" })((it) => {
    const is10 = Qemu.isAtLeast(10, 0) && !Qemu.isAtLeast(10, 1)
    for (const damage of Damage.all) {
      it.effect.skipIf(!is10)(`${damage.name}: QEMU 10.0 ${damage.qemu}`, () =>
        Effect.gen(function* () {
          const { path, sound } = yield* inflict(damage)
          for (const channels of [0, 2]) {
            assert.strictEqual(yield* qemuVerdict(sound, path, channels), expectedOf(damage.qemu, channels))
          }
        })
      )
    }
  })
})
