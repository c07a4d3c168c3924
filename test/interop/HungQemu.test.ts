import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as QmpClient from "../../src/qemu/QmpClient.ts"
import * as QmpCommands from "../../src/qemu/QmpCommands.ts"
import { itGuestAlone } from "../support/qemu/it.ts"
import * as Cli from "../support/qemu/cli.ts"
import * as Machine from "../support/qemu/machine.ts"
import { describeQemu } from "../support/qemu/suite.ts"

const ask = <A, E>(socket: string, question: (qmp: QmpClient.Client) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(QmpClient.make({ address: SocketAddress.unix(socket) }), question))

/** Captures slowly, and does something when pages move. */
const captureUntil = (vm: { readonly socket: string }, target: string, act: (command: Cli.Running) => void) =>
  Cli.whenPagesMove(["capture", "--qmp", vm.socket, target, "--max-bandwidth", "1M"], act)

const warningsIn = (ran: Cli.Ran): ReadonlyArray<string> =>
  Cli.events(ran).flatMap(({ event, message }) => (event === "warning" ? [String(message)] : []))

describeQemu("a capture that cannot tidy up", () => {
  itGuestAlone("Ctrl-C while QEMU is stopped: 130 in seconds, and what was not undone is said", function* (vm, space) {
    const ran = yield* captureUntil(vm, space.file("image"), (command) => {
      process.kill(vm.guest.pid, "SIGSTOP")
      command.kill("SIGINT")
    })
    process.kill(vm.guest.pid, "SIGCONT")
    assert.strictEqual(ran.code, 130, ran.stderr)
    assert.isBelow(ran.seconds, 45)
    const [warning, ...others] = warningsIn(ran)
    assert.lengthOf(others, 0)
    assert.match(warning!, /timed out after 5 s waiting for an answer to "migrate_cancel"; not undone: the migration, /)
    assert.match(
      warning!,
      /the former settings: .*multifd-channels=2.*; the guest, which ran before and may be stopped/
    )
    assert.strictEqual((yield* ask(vm.socket, QmpCommands.queryStatus)).status, "paused")
    yield* ask(vm.socket, QmpCommands.cont)
    yield* Machine.goesOn(vm)
  })

  itGuestAlone("Ctrl-C while QEMU is stopped for a moment: all is as it was", function* (vm, space) {
    const before = yield* ask(vm.socket, QmpCommands.queryMigrateParameters)
    const ran = yield* captureUntil(vm, space.file("image"), (command) => {
      process.kill(vm.guest.pid, "SIGSTOP")
      command.kill("SIGINT")
      setTimeout(() => process.kill(vm.guest.pid, "SIGCONT"), 500)
    })
    assert.strictEqual(ran.code, 130, ran.stderr)
    assert.deepStrictEqual(warningsIn(ran), [])
    yield* Machine.goesOn(vm)
    assert.deepStrictEqual(yield* ask(vm.socket, QmpCommands.queryMigrateParameters), before)
  })

  itGuestAlone(
    "killed: the guest stays stopped, and the next capture says so and can let it go on",
    function* (vm, space) {
      yield* captureUntil(vm, space.file("image"), (command) => command.kill("SIGKILL"))
      assert.strictEqual((yield* ask(vm.socket, QmpCommands.queryStatus)).status, "paused")
      const next = yield* Cli.run("capture", "--qmp", vm.socket, space.file("image"), "--leave", "running")
      assert.strictEqual(next.code, 0, next.stderr)
      assert.match(
        next.stderr,
        /^multifd: warning: unix:.*: the guest is stopped, and QEMU's settings are those of a capture /
      )
      yield* Machine.goesOn(vm)
      yield* Machine.memoryOf(space, space.file("image"))
    }
  )
})
