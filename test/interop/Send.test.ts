import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Migration from "../../src/migration/Migration.ts"
import * as Fixtures from "./support/Fixtures.ts"
import * as Grid from "./support/Grid.ts"
import * as Guest from "./support/Guest.ts"
import * as Library from "./support/Library.ts"
import * as QemuImage from "./support/QemuImage.ts"
import * as Sockets from "./support/Sockets.ts"
import { describeQemu } from "./support/suite.ts"

const MIB = 1024 * 1024

/** A guest that never ran. */
const recipe: Fixtures.Recipe = { ram: { pattern: "mixed", size: 16 * MIB }, channels: 2 }

/** What such a guest is in after it was loaded. */
const NEVER_RAN = "prelaunch"

/** Sends a guest's image to another one that waits for it, and fails unless all of its memory has arrived. */
const sendAndCompare = ({ channels, compression, transport, zeroPages }: Grid.Cell, recipe: Fixtures.Recipe) =>
  Effect.gen(function* () {
    const { fresh, saved } = yield* Fixtures.Fixtures
    const original = yield* saved(recipe)
    const { guest } = yield* Fixtures.startLike(original)
    const at = transport === "tcp" ? "tcp:127.0.0.1:0" : `unix:${fresh("file")}`
    const { loaded, uri } = yield* Sockets.listen(guest, at, { channels, compression })
    yield* Library.send(original.path, uri, { channels, compression, zeroPageDetection: zeroPages })
    assert.include(yield* loaded, { status: "completed", reason: "" })
    assert.strictEqual(yield* Guest.runState(guest), NEVER_RAN)

    const found = yield* Fixtures.blocksOf(guest)
    for (const [idstr, content] of QemuImage.contents(QemuImage.read(original.path))) {
      assert.isTrue(content.equals(found.get(idstr)!), idstr)
    }
  })

describeQemu("an image that is sent to a waiting QEMU", () => {
  layer(Layer.mergeAll(Fixtures.layer, Migration.layer), { excludeTestServices: true })((it) => {
    for (const cell of Grid.cells) {
      it.effect(`${cell.name}: every page, and the run state`, () => sendAndCompare(cell, recipe))
    }
  })
})
