import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as QmpClient from "../../src/qemu/QmpClient.ts"
import * as QmpCommands from "../../src/qemu/QmpCommands.ts"
import { problemsOf } from "../support/cli/documents.ts"
import * as Cli from "../support/qemu/cli.ts"
import * as Machine from "../support/qemu/machine.ts"
import { describeQemu } from "../support/qemu/suite.ts"
import * as Workload from "../support/qemu/workload.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const BIN = Path.resolve(import.meta.dirname, "../../src/bin.ts")

/** A monitor serves one client at a time, and the command is one. */
const ask = <A, E>(socket: string, question: (qmp: QmpClient.Client) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(QmpClient.make({ address: SocketAddress.unix(socket) }), question))

const jsonLines = (text: string): ReadonlyArray<Record<string, unknown>> =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>)

/**
 * Runs the command and interrupts it, as a terminal does, when it has moved something: once, because a second time would end it
 * without any tidying up.
 */
const interrupt = (...args: ReadonlyArray<string>) =>
  Effect.callback<{ readonly code: number | null; readonly stderr: string }>((resume) => {
    let stderr = ""
    const child = ChildProcess.spawn(process.execPath, [BIN, ...args, "--progress", "json"], {
      stdio: ["ignore", "ignore", "pipe"]
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
      if (!child.killed && /"pages":[1-9]/.test(stderr)) child.kill("SIGINT")
    })
    child.on("close", (code) => resume(Effect.succeed({ code, stderr })))
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

describeQemu("multifd capture, multifd resume", () => {
  it.live("capture a running guest, and resume it elsewhere", () =>
    Effect.gen(function* () {
      const space = yield* Workspace.make
      const vm = yield* Machine.launch(space)
      yield* Workload.reach(vm.ram, 2)
      const args = ["--qmp", vm.socket, space.file("image"), "--live", "--progress", "json", "--json"]
      const captured = yield* Cli.run("capture", ...args)
      assert.strictEqual(captured.code, 0, captured.stderr)
      assert.deepStrictEqual(problemsOf(JSON.parse(captured.stdout)), [])
      assert.include(JSON.parse(captured.stdout), { command: "capture", runState: "running" })
      const events = jsonLines(captured.stderr)
      assert.strictEqual(events.at(-1)?.["event"], "completed")
      assert.match(String(events.at(-1)?.["machine"]), /^pc-i440fx-/)
      yield* Machine.goesOn(vm)
      const memory = yield* Machine.memoryOf(space, space.file("image"))

      const fresh = yield* Machine.launch(space, { name: "fresh", incoming: true })
      const resumed = yield* Cli.run(
        "resume",
        "--qmp",
        `unix:${fresh.socket}`,
        space.file("image"),
        "--paused",
        "--json"
      )
      assert.strictEqual(resumed.code, 0, resumed.stderr)
      assert.deepStrictEqual(problemsOf(JSON.parse(resumed.stdout)), [])
      assert.include(JSON.parse(resumed.stdout), { command: "resume", runState: "paused" })
      assert.strictEqual((yield* ask(fresh.socket, QmpCommands.queryStatus)).status, "paused")
      yield* ask(fresh.socket, QmpCommands.cont)
      yield* Workload.reach(fresh.ram, Workload.round(memory) + 1)

      const again = yield* Cli.run("resume", "--qmp", fresh.socket, space.file("image"))
      assert.strictEqual(again.code, 2)
      assert.match(again.stderr, /^multifd: unix:.*: cannot resume: QEMU does not wait for a machine: .*\n$/)
    }).pipe(Effect.provide(Migration.layer))
  )

  it.live("Ctrl-C: 130, the guest runs, nothing is left; and then it can be put away", () =>
    Effect.gen(function* () {
      const space = yield* Workspace.make
      const vm = yield* Machine.launch(space)
      yield* Workload.reach(vm.ram, 2)
      const before = yield* ask(vm.socket, QmpCommands.queryMigrateParameters)
      const args = ["capture", "--qmp", vm.socket, space.file("image"), "--max-bandwidth", "1M"]
      const { code, stderr } = yield* interrupt(...args)
      assert.strictEqual(code, 130, stderr)
      const progress = jsonLines(stderr).filter(({ qemu }) => qemu !== undefined)
      assert.isNotEmpty(progress)
      const message = "the guest runs again, nothing was written"
      assert.deepStrictEqual(jsonLines(stderr).at(-1), { event: "interrupted", message, exitCode: 130 })
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
    }).pipe(Effect.provide(Migration.layer))
  )
})
