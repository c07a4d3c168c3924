import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Progress from "../../src/migration/Progress.ts"
import * as Capture from "../../src/qemu/Capture.ts"
import type { QemuRamStatistics } from "../../src/qemu/QemuStatistics.ts"
import * as QmpClient from "../../src/qemu/QmpClient.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Library from "../support/qemu/library.ts"
import * as Pattern from "../support/qemu/pattern.ts"
import * as Sockets from "../support/qemu/sockets.ts"
import { describeQemu } from "../support/qemu/suite.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const SIZE = 16 * 1024 * 1024

/** What has to be the same; QEMU looks at what is dirty once more, and says of other bytes that they went in the downtime. */
const ofPages = (ram: QemuRamStatistics) =>
  ["total", "remaining", "duplicate", "normal", "normal-bytes", "page-size", "dirty-pages-rate"].map(
    (name) => ram[name as keyof QemuRamStatistics]
  )

const ofAll = (ram: QemuRamStatistics): number => ram.transferred ?? 0
const ofChannels = (ram: QemuRamStatistics): number => ram["multifd-bytes"] ?? 0
const ofMain = (ram: QemuRamStatistics): number => ofAll(ram) - ofChannels(ram)

describeQemu("what QEMU says of a migration, and what we say of the same one", () => {
  it.live.each([
    { channels: 2, machine: "pc-i440fx-10.0" },
    { channels: 0, machine: "pc-i440fx-10.0" }
  ])("%j: the same pages, and bytes within 1 %", ({ channels, machine }) =>
    Effect.gen(function* () {
      const space = yield* Workspace.make
      const [file, socket] = [space.ram("memory"), space.file("qmp")]
      Pattern.writeFile(file, "mixed", SIZE)
      yield* Guest.start({ machine, ram: { file, size: SIZE }, args: ["-qmp", `unix:${socket},server=on,wait=off`] })
      const qmp = yield* QmpClient.make({ address: SocketAddress.unix(socket) })
      const captured = yield* Capture.run({ qmp, target: space.ram("image"), channels })

      const fresh = yield* Guest.start({ machine, ram: { file: space.ram("fresh"), size: SIZE }, incoming: true })
      const { loaded, uri } = yield* Sockets.listen(fresh, "tcp:127.0.0.1:0", { channels })
      const progress = yield* Progress.make
      yield* Library.send(space.ram("image"), uri, { channels, progress })
      yield* loaded
      const theirs = captured.statistics.ram!
      const ours = (yield* progress.statistics.snapshot).ram!
      assert.deepStrictEqual(ofPages(ours), ofPages(theirs))
      for (const bytes of [ofAll, ofMain, ofChannels]) {
        assert.closeTo(bytes(ours), bytes(theirs), 0.01 * bytes(theirs), `${ours.transferred}, ${theirs.transferred}`)
      }
    }).pipe(Effect.scoped, Effect.provide(Migration.layer))
  )
})
