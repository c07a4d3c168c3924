/**
 * A postcopy source of our own against real destinations: the guest checks every word of its memory.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Postcopy from "../../src/postcopy/Postcopy.ts"
import * as QmpCommands from "../../src/qemu/QmpCommands.ts"
import * as SelfCheck from "../support/qemu/selfCheck.ts"
import { describeQemus } from "../support/qemu/suite.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const MIB = 1024 * 1024

const check = (options: SelfCheck.Options, how: { readonly preempt: boolean }) =>
  Effect.gen(function* () {
    const space = yield* Workspace.make
    const { errors, image } = yield* SelfCheck.captured(space, options)
    const { qmp, ram } = yield* SelfCheck.start(space, "fresh", options, true)
    yield* QmpCommands.migrateSetCapabilities(qmp, { "postcopy-ram": true, "postcopy-preempt": how.preempt })
    const to = SocketAddress.unix(space.file("socket"))
    yield* QmpCommands.migrateIncoming(qmp, SocketAddress.format(to))
    const begin = performance.now()
    let running = 0
    const sent = yield* Postcopy.send({
      source: image,
      to,
      ...how,
      onRunning: Effect.sync(() => void (running = performance.now() - begin))
    })
    // Long before its memory is there.
    assert.isAbove(running, 0)
    assert.isAbove(sent.requests, 0)
    const { rounds } = SelfCheck.read(ram)
    yield* SelfCheck.reach(ram, rounds + 2)
    assert.strictEqual(SelfCheck.read(ram).errors, errors)
    assert.isTrue((yield* QmpCommands.queryStatus(qmp)).running)
  }).pipe(Effect.timeout("30 seconds"), Effect.provide(Migration.layer))

describeQemus("postcopy", ["10.0", "11.1"], (qemu) => {
  for (const preempt of [false, true]) {
    for (const machine of ["pc", "q35"]) {
      it.live(`${machine}${preempt ? ", preempt" : ""}: a guest runs at once, and every word is right`, () =>
        check(
          { qemu, machine, size: 64 * MIB, args: machine === "q35" ? ["-smp", "2", "-device", "VGA"] : [] },
          { preempt }
        )
      )
    }
  }
})
