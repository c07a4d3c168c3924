import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ChildProcess from "node:child_process"
import * as Path from "node:path"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as QmpClient from "../../src/qemu/QmpClient.ts"
import * as QmpCommands from "../../src/qemu/QmpCommands.ts"
import * as Cli from "../support/qemu/cli.ts"
import * as Machine from "../support/qemu/machine.ts"
import { describeQemu } from "../support/qemu/suite.ts"
import * as Workload from "../support/qemu/workload.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const BIN = Path.resolve(import.meta.dirname, "../../src/bin.ts")

const ask = <A, E>(socket: string, question: (qmp: QmpClient.Client) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(QmpClient.make({ address: SocketAddress.unix(socket) }), question))

/** Captures slowly, and does something when pages move; the seconds are those from then to the end. */
const captureUntil = (
  vm: { readonly socket: string },
  target: string,
  act: (command: ChildProcess.ChildProcess) => void
) =>
  Effect.callback<{ readonly code: number | null; readonly stderr: string; readonly seconds: number }>((resume) => {
    let stderr = ""
    let acted = 0
    const args = ["capture", "--qmp", vm.socket, target, "--max-bandwidth", "1M", "--progress", "json"]
    const command = ChildProcess.spawn(process.execPath, [BIN, ...args], { stdio: ["ignore", "ignore", "pipe"] })
    command.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
      if (acted > 0 || !/"pages":[1-9]/.test(text)) return
      acted = performance.now()
      act(command)
    })
    command.on("close", (code) => resume(Effect.succeed({ code, stderr, seconds: (performance.now() - acted) / 1000 })))
    return Effect.sync(() => void command.kill("SIGKILL"))
  })

const warningsIn = (stderr: string): ReadonlyArray<string> =>
  stderr.split("\n").flatMap((line) => {
    const { event, message } = line === "" ? {} : JSON.parse(line)
    return event === "warning" ? [String(message)] : []
  })

describeQemu("a capture that cannot tidy up", () => {
  it.live("Ctrl-C while QEMU is stopped: 130 in seconds, and what was not undone is said", () =>
    Effect.gen(function* () {
      const space = yield* Workspace.make
      const vm = yield* Machine.launch(space)
      yield* Workload.reach(vm.ram, 2)
      const { code, seconds, stderr } = yield* captureUntil(vm, space.file("image"), (command) => {
        process.kill(vm.guest.pid, "SIGSTOP")
        command.kill("SIGINT")
      })
      process.kill(vm.guest.pid, "SIGCONT")
      assert.strictEqual(code, 130, stderr)
      assert.isBelow(seconds, 45)
      const [warning, ...others] = warningsIn(stderr)
      assert.lengthOf(others, 0)
      assert.match(
        warning!,
        /timed out after 5 s waiting for an answer to "migrate_cancel"; not undone: the migration, /
      )
      assert.match(
        warning!,
        /the former settings: .*multifd-channels=2.*; the guest, which ran before and may be stopped/
      )
      assert.strictEqual((yield* ask(vm.socket, QmpCommands.queryStatus)).status, "paused")
      yield* ask(vm.socket, QmpCommands.cont)
      yield* Machine.goesOn(vm)
    }).pipe(Effect.provide(Migration.layer))
  )

  it.live("Ctrl-C while QEMU is stopped for a moment: all is as it was", () =>
    Effect.gen(function* () {
      const space = yield* Workspace.make
      const vm = yield* Machine.launch(space)
      yield* Workload.reach(vm.ram, 2)
      const before = yield* ask(vm.socket, QmpCommands.queryMigrateParameters)
      const { code, stderr } = yield* captureUntil(vm, space.file("image"), (command) => {
        process.kill(vm.guest.pid, "SIGSTOP")
        command.kill("SIGINT")
        setTimeout(() => process.kill(vm.guest.pid, "SIGCONT"), 500)
      })
      assert.strictEqual(code, 130, stderr)
      assert.deepStrictEqual(warningsIn(stderr), [])
      yield* Machine.goesOn(vm)
      assert.deepStrictEqual(yield* ask(vm.socket, QmpCommands.queryMigrateParameters), before)
    }).pipe(Effect.provide(Migration.layer))
  )

  it.live("killed: the guest stays stopped, and the next capture says so and can let it go on", () =>
    Effect.gen(function* () {
      const space = yield* Workspace.make
      const vm = yield* Machine.launch(space)
      yield* Workload.reach(vm.ram, 2)
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
    }).pipe(Effect.provide(Migration.layer))
  )
})
