/**
 * The guests that people run are what the harness says of them, in every QEMU.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as QmpClient from "../../src/qemu/QmpClient.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import { itGuest } from "../support/qemu/it.ts"
import * as Guests from "../support/qemu/guests.ts"
import * as Machine from "../support/qemu/machine.ts"
import { describeQemus } from "../support/qemu/suite.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const NO_UUID = "00000000-0000-0000-0000-000000000000"

describeQemus("a guest that people run", ["5.2", "7.2", "10.0", "11.1"], (qemu) => {
  for (const name of Guests.names) {
    const { boots, uuid, vcpus } = Guests.kinds[name]
    const missing = Guests.missing(name)
    it.live.skipIf(missing !== undefined)(`${name}: starts, with its uuid and processors${missing ?? ""}`, () =>
      Effect.gen(function* () {
        const space = yield* Workspace.make
        const { guest, socket } = yield* Guests.start(space, name, { qemu })
        assert.deepStrictEqual(yield* guest.qmp.execute("query-uuid"), { UUID: uuid ?? NO_UUID })
        assert.lengthOf((yield* guest.qmp.execute("query-cpus-fast")) as ReadonlyArray<unknown>, vcpus)
        const own = yield* QmpClient.make({ address: SocketAddress.unix(socket) })
        assert.strictEqual(own.version.major, qemu.major)
      })
    )
    if (!boots) continue
    itGuest(`${name}: runs the workload`, { qemu, as: name }, function* (vm) {
      yield* Machine.goesOn(vm)
    })
  }
})
