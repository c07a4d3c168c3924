import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Migration from "../../src/migration/Migration.ts"
import * as Fixtures from "../support/qemu/fixtures.ts"
import * as Grid from "../support/qemu/grid.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Library from "../support/qemu/library.ts"
import * as QemuImage from "../support/qemu/qemuImage.ts"
import * as Sockets from "../support/qemu/sockets.ts"
import { describeQemus } from "../support/qemu/suite.ts"
import * as Tls from "../support/qemu/tls.ts"

const MIB = 1024 * 1024

/** What a guest that never ran is in after it was loaded. */
const NEVER_RAN = "prelaunch"

/** Sends a guest's image to another one that waits for it, and fails unless all of its memory has arrived. */
const sendAndCompare = (cell: Grid.Cell) =>
  Effect.gen(function* () {
    const { channels, compression, tls, transport, zeroPages } = cell
    const { fresh, saved } = yield* Fixtures.Fixtures
    const ram = { pattern: "mixed", size: 16 * MIB } as const
    const original = yield* saved({ ram, channels: 2, machine: Grid.machineOf(cell) })
    const { guest } = yield* Fixtures.startLike(original, Grid.credentials(cell, "server"))
    const at = transport === "tcp" ? "tcp:127.0.0.1:0" : `unix:${fresh("file")}`
    const { loaded, uri } = yield* Sockets.listen(guest, at, Grid.settings(cell, "server"))
    const ours = { channels, compression, zeroPageDetection: zeroPages, marks: Grid.marks(cell) }
    yield* Library.send(original.path, uri, { ...ours, tls: yield* Tls.client[tls] })
    assert.include(yield* loaded, { status: "completed", reason: "" })
    assert.strictEqual(yield* Guest.runState(guest), NEVER_RAN)

    const found = yield* Fixtures.blocksOf(guest)
    for (const [idstr, content] of QemuImage.contents(QemuImage.read(original.path))) {
      assert.isTrue(content.equals(found.get(idstr)!), idstr)
    }
  }).pipe(Effect.scoped)

describeQemus("an image that is sent to a waiting guest", Grid.versions, (qemu) => {
  layer(Layer.mergeAll(Fixtures.layerOf(qemu), Migration.layer), { excludeTestServices: true })((it) => {
    for (const cell of Grid.to(qemu)) {
      it.effect(`${Grid.nameOf(cell)}: every page, and the run state`, () => sendAndCompare(cell))
    }
  })
})
