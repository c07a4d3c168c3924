import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as QmpClient from "../../src/qemu/QmpClient.ts"
import * as QmpCommands from "../../src/qemu/QmpCommands.ts"
import { itSpace } from "../support/qemu/it.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Qemu from "../support/qemu/qemu.ts"
import { describeQemu } from "../support/qemu/suite.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const MIB = 1024 * 1024

/** A guest with a monitor of its own for the client that is tested. */
const start = Effect.fnUntraced(function* (options: { readonly incoming?: boolean; readonly pretty?: boolean } = {}) {
  const space = yield* Workspace.make
  const path = space.file("monitor")
  const name = options.pretty === true ? "-qmp-pretty" : "-qmp"
  const guest = yield* Guest.start({
    ram: { size: 16 * MIB },
    incoming: options.incoming === true,
    args: [name, `unix:${path},server=on,wait=off`]
  })
  return { guest, space, address: SocketAddress.unix(path) }
})

const versionOf = ({ major, minor, micro }: Qemu.Qemu) => ({ major, minor, micro })

describeQemu("QmpClient with a real QEMU", () => {
  it.live("negotiates and asks what a migration needs to know", () =>
    Effect.gen(function* () {
      const { address } = yield* start()
      const qmp = yield* QmpClient.make({ address })
      assert.deepInclude(qmp.version, versionOf(Qemu.installed!))
      assert.deepStrictEqual(yield* QmpCommands.queryStatus(qmp), { status: "prelaunch", running: false })
      assert.deepStrictEqual(yield* QmpCommands.queryMigrate(qmp), {})
      assert.deepInclude(yield* QmpCommands.queryMemorySize(qmp), { "base-memory": 16 * MIB })
      assert.match(yield* QmpCommands.machineType(qmp), /^pc-i440fx-\d+\.\d+$/)
      assert.include(yield* QmpCommands.queryMigrateCapabilities(qmp), { multifd: false, "return-path": false })
      assert.include(yield* QmpCommands.queryMigrateParameters(qmp), { "multifd-channels": 2 })
    })
  )

  it.live("an indented monitor", () =>
    Effect.gen(function* () {
      const { address } = yield* start({ pretty: true })
      const qmp = yield* QmpClient.make({ address })
      assert.isAbove((yield* qmp.execute("query-commands", {}, Schema.Array(Schema.Unknown))).length, 100)
    })
  )

  it.live("many callers at once each have their own answer, and refusals are theirs alone", () =>
    Effect.gen(function* () {
      const { address } = yield* start()
      const qmp = yield* QmpClient.make({ address })
      const ask = (index: number) =>
        index % 3 === 0
          ? Effect.flip(qmp.execute(`no-${index}`, {}, Schema.Unknown)).pipe(
              Effect.map((error) => {
                assert.deepInclude(error, { _tag: "QmpCommandError", command: `no-${index}`, class: "CommandNotFound" })
              })
            )
          : Effect.map(QmpCommands.queryStatus(qmp), ({ running }) => assert.isFalse(running))
      yield* Effect.forEach(Array.from({ length: 300 }).keys(), ask, { concurrency: "unbounded", discard: true })
    })
  )

  it.live("settings come back as they were, numbers of 64 bits included", () =>
    Effect.gen(function* () {
      const { address } = yield* start()
      const qmp = yield* QmpClient.make({ address })
      yield* QmpCommands.migrateSetParameters(qmp, { "max-bandwidth": 18446744073709551615n })
      const before = yield* QmpCommands.queryMigrateParameters(qmp)
      assert.strictEqual(before["max-bandwidth"], 18446744073709551615n)
      yield* QmpCommands.migrateSetParameters(qmp, { "max-bandwidth": 1, "multifd-channels": 7 })
      yield* QmpCommands.migrateSetParameters(qmp, before)
      assert.deepStrictEqual(yield* QmpCommands.queryMigrateParameters(qmp), before)
      yield* QmpCommands.migrateSetCapabilities(qmp, { events: true, multifd: true, xbzrle: false })
      assert.include(yield* QmpCommands.queryMigrateCapabilities(qmp), { events: true, multifd: true })
    })
  )

  it.live("events that a command causes are not missed, and a migration that fails says why", () =>
    Effect.gen(function* () {
      const { address } = yield* start()
      const qmp = yield* QmpClient.make({ address })
      yield* QmpCommands.migrateSetCapabilities(qmp, { events: true })
      const events = yield* qmp.subscribe
      yield* QmpCommands.cont(qmp)
      yield* QmpCommands.stop(qmp)
      yield* QmpCommands.migrate(qmp, "unix:/nonexistent/socket")
      const names = yield* events.pipe(
        Stream.takeUntil(({ data }) => data["status"] === "failed"),
        Stream.map(({ data, name }) => `${name} ${String(data["status"] ?? "")}`.trim()),
        Stream.runCollect
      )
      // 11.1 says first that it is about to fail.
      const told = names.filter((name) => name !== "MIGRATION failing")
      assert.deepStrictEqual(told, ["RESUME", "STOP", "MIGRATION setup", "MIGRATION failed"])
      const failed = yield* QmpCommands.queryMigrate(qmp)
      assert.strictEqual(failed.status, "failed")
      assert.include(failed["error-desc"], "No such file or directory")
    })
  )

  it.live("an incoming QEMU listens when migrate-incoming has been answered", () =>
    Effect.gen(function* () {
      const { address, space } = yield* start({ incoming: true })
      const qmp = yield* QmpClient.make({ address })
      yield* QmpCommands.migrateIncoming(qmp, `unix:${space.file("in")}`)
      assert.deepInclude(yield* QmpCommands.queryMigrate(qmp), { status: "setup" })
      assert.isTrue(Fs.existsSync(space.file("in")))
    })
  )

  it.live("an incoming QEMU that could not listen refuses every other address", () =>
    Effect.gen(function* () {
      const { address, space } = yield* start({ incoming: true })
      const qmp = yield* QmpClient.make({ address })
      const refused = yield* Effect.flip(QmpCommands.migrateIncoming(qmp, "unix:/nonexistent/socket"))
      assert.deepInclude(refused, { _tag: "QmpCommandError", command: "migrate-incoming" })
      const again = yield* Effect.flip(QmpCommands.migrateIncoming(qmp, `unix:${space.file("in")}`))
      assert.deepInclude(again, { description: "Illegal migration incoming state: setup" })
    })
  )

  it.live("a migration that pauses before it switches over goes on when it is told to", () =>
    Effect.gen(function* () {
      const { address, space } = yield* start()
      const qmp = yield* QmpClient.make({ address })
      const tooEarly = yield* Effect.flip(QmpCommands.migrateContinue(qmp))
      assert.deepInclude(tooEarly, { _tag: "QmpCommandError", command: "migrate-continue" })
      yield* QmpCommands.migrateSetCapabilities(qmp, { events: true, "pause-before-switchover": true })
      const events = yield* qmp.subscribe
      const reach = (status: string) =>
        Stream.runDrain(Stream.takeUntil(events, ({ data }) => data["status"] === status))
      yield* QmpCommands.migrate(qmp, `file:${space.file("image")}`)
      yield* reach("pre-switchover")
      yield* QmpCommands.migrateContinue(qmp)
      yield* reach("completed")
      const { ram, status } = yield* QmpCommands.queryMigrate(qmp)
      assert.strictEqual(status, "completed")
      assert.isAbove(ram?.transferred ?? 0, 0)
    })
  )

  it.live("quit ends QEMU, and everybody who waits", () =>
    Effect.gen(function* () {
      const { address, guest } = yield* start()
      const qmp = yield* QmpClient.make({ address })
      const listening = yield* Effect.forkChild(Effect.flip(Stream.runDrain(qmp.events)), { startImmediately: true })
      yield* QmpCommands.quit(qmp)
      assert.strictEqual((yield* guest.ended).code, 0)
      assert.strictEqual((yield* Fiber.join(listening))._tag, "QmpDisconnectedError")
      const late = yield* Effect.flip(QmpCommands.queryStatus(qmp))
      assert.deepInclude(late, { _tag: "QmpDisconnectedError", command: "query-status" })
    })
  )

  it.live("QEMU that is killed fails the callers", () =>
    Effect.gen(function* () {
      const { address, guest } = yield* start()
      const qmp = yield* QmpClient.make({ address })
      process.kill(guest.pid, "SIGSTOP")
      const asking = yield* Effect.forkChild(Effect.flip(QmpCommands.queryStatus(qmp)), { startImmediately: true })
      process.kill(guest.pid, "SIGKILL")
      assert.deepInclude(yield* Fiber.join(asking), { _tag: "QmpDisconnectedError", command: "query-status" })
    })
  )

  it.live("a monitor with another client: PeerTimeoutError that says so", () =>
    Effect.gen(function* () {
      const { address } = yield* start()
      yield* QmpClient.make({ address })
      const error = yield* Effect.flip(QmpClient.make({ address, connectTimeout: "1 second" }))
      assert.strictEqual(error._tag, "PeerTimeoutError")
      assert.include(error.message, "a monitor serves one client at a time")
    })
  )

  it.live("a hung QEMU: PeerTimeoutError, and the late answer is nobody's", () =>
    Effect.gen(function* () {
      const { address, guest } = yield* start()
      const qmp = yield* QmpClient.make({ address })
      process.kill(guest.pid, "SIGSTOP")
      const withShortTimeout = qmp.execute("query-status", {}, QmpCommands.RunState, { timeout: "300 millis" })
      assert.deepInclude(yield* Effect.flip(withShortTimeout), { _tag: "PeerTimeoutError", milliseconds: 300 })
      process.kill(guest.pid, "SIGCONT")
      assert.isFalse((yield* QmpCommands.queryStatus(qmp)).running)
    })
  )

  itSpace("the human monitor is not QMP", function* (space) {
    const path = space.file("hmp")
    yield* Guest.start({ ram: { size: 16 * MIB }, args: ["-monitor", `unix:${path},server=on,wait=off`] })
    const error = yield* Effect.flip(QmpClient.make({ address: SocketAddress.unix(path) }))
    assert.strictEqual(error._tag, "QmpProtocolError")
    assert.match(error.message, /expected a QMP monitor, found QEMU's human monitor \(-monitor\)/)
  })

  itSpace("nobody there, and somebody who hangs up", function* (space) {
    const missing = yield* Effect.flip(QmpClient.make({ address: SocketAddress.unix(space.file("none")) }))
    assert.strictEqual(missing._tag, "ConnectError")

    const path = space.file("hangs-up")
    const server = Net.createServer((socket) => socket.destroy())
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => void server.listen(path, () => resume(Effect.void))),
      () => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
    )
    const gone = yield* Effect.flip(QmpClient.make({ address: SocketAddress.unix(path) }))
    assert.strictEqual(gone._tag, "QmpDisconnectedError")
  })
})
