import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as QmpClient from "../../src/qemu/QmpClient.ts"
import * as QmpCommands from "../../src/qemu/QmpCommands.ts"
import { problemsOf } from "../support/cli/documents.ts"
import { itGuestAlone } from "../support/qemu/it.ts"
import * as Cli from "../support/qemu/cli.ts"
import * as Machine from "../support/qemu/machine.ts"
import { describeQemu } from "../support/qemu/suite.ts"
import * as Workload from "../support/qemu/workload.ts"

/** A monitor serves one client at a time, and the command is one. */
const ask = <A, E>(socket: string, question: (qmp: QmpClient.Client) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(QmpClient.make({ address: SocketAddress.unix(socket) }), question))

describeQemu("multifd capture, multifd resume", () => {
  itGuestAlone("capture a running guest, and resume it elsewhere", function* (vm, space) {
    const args = ["--qmp", vm.socket, space.file("image"), "--live", "--progress", "json", "--json"]
    const captured = yield* Cli.run("capture", ...args)
    assert.strictEqual(captured.code, 0, captured.stderr)
    assert.deepStrictEqual(problemsOf(JSON.parse(captured.stdout)), [])
    assert.include(JSON.parse(captured.stdout), { command: "capture", runState: "running" })
    const events = Cli.events(captured)
    assert.strictEqual(events.at(-1)?.["event"], "completed")
    assert.match(String(events.at(-1)?.["machine"]), /^pc-i440fx-/)
    yield* Machine.goesOn(vm)
    const memory = yield* Machine.memoryOf(space, space.file("image"))

    const fresh = yield* Machine.launch(space, { name: "fresh", incoming: true })
    const resumed = yield* Cli.run("resume", "--qmp", `unix:${fresh.socket}`, space.file("image"), "--paused", "--json")
    assert.strictEqual(resumed.code, 0, resumed.stderr)
    assert.deepStrictEqual(problemsOf(JSON.parse(resumed.stdout)), [])
    assert.include(JSON.parse(resumed.stdout), { command: "resume", runState: "paused" })
    assert.strictEqual((yield* ask(fresh.socket, QmpCommands.queryStatus)).status, "paused")
    yield* ask(fresh.socket, QmpCommands.cont)
    yield* Workload.reach(fresh.ram, Workload.round(memory) + 1)

    const again = yield* Cli.run("resume", "--qmp", fresh.socket, space.file("image"))
    assert.strictEqual(again.code, 2)
    assert.match(again.stderr, /^multifd: unix:.*: cannot resume: QEMU does not wait for a machine: .*\n$/)
  })

  itGuestAlone("Ctrl-C: 130, the guest runs, nothing is left; and then it can be put away", function* (vm, space) {
    const before = yield* ask(vm.socket, QmpCommands.queryMigrateParameters)
    const args = ["capture", "--qmp", vm.socket, space.file("image"), "--max-bandwidth", "1M"]
    const ran = yield* Cli.whenPagesMove(args, ({ kill }) => kill("SIGINT"))
    assert.strictEqual(ran.code, 130, ran.stderr)
    const progress = Cli.events(ran).filter(({ qemu }) => qemu !== undefined)
    assert.isNotEmpty(progress)
    const message = "the guest runs again, nothing was written"
    assert.deepStrictEqual(Cli.events(ran).at(-1), { event: "interrupted", message, exitCode: 130 })
    yield* Machine.goesOn(vm)
    assert.deepStrictEqual(yield* ask(vm.socket, QmpCommands.queryMigrateParameters), before)
    assert.deepStrictEqual(
      Fs.readdirSync(Path.dirname(vm.socket)).filter((name) => !name.startsWith("vm-")),
      []
    )

    const put = yield* Cli.run("capture", "--qmp", vm.socket, space.file("image"), "--leave", "quit")
    assert.strictEqual(put.code, 0, put.stderr)
    assert.strictEqual((yield* vm.guest.ended).code, 0)
    yield* Machine.memoryOf(space, space.file("image"))
  })
})
