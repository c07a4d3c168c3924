/** What a guest, its operator and its monitor do while it is captured, with real QEMUs. */
import { assert, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Capture from "../../src/qemu/Capture.ts"
import * as QmpClient from "../../src/qemu/QmpClient.ts"
import * as Guest from "../support/qemu/guest.ts"
import * as Machine from "../support/qemu/machine.ts"
import * as Pattern from "../support/qemu/pattern.ts"
import type * as Qemu from "../support/qemu/qemu.ts"
import { describeQemus } from "../support/qemu/suite.ts"
import * as Workload from "../support/qemu/workload.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const MIB = 1024 * 1024
const SIZE = 16 * MIB

/** Where the guest is told what to do, and where it says that it waits for that. */
const ORDER_AT = 0x9000
const orders = { panic: 1, powerOff: 2 }

/** A boot sector that waits for its order. */
const bootSector = Buffer.from(
  [
    [0xfa, 0x31, 0xc0, 0x8e, 0xd8], //                          cli; xor ax, ax; mov ds, ax
    [0xc6, 0x06, 0x01, 0x90, 0x01], //                          mov byte [0x9001], 1
    [0xa0, 0x00, 0x90], //                                      again: mov al, [0x9000]
    [0x3c, 0x01, 0x74, 0x06, 0x3c, 0x02, 0x74, 0x09], //        cmp al, 1; je panic; cmp al, 2; je off
    [0xeb, 0xf3], //                                            jmp again
    [0xba, 0x05, 0x05, 0xb0, 0x01, 0xee, 0xf4], //              panic: mov dx, 0x505; mov al, 1; out dx, al; hlt
    [0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, 0xf4] //         off: mov dx, 0x604; mov ax, 0x2000; out dx, ax; hlt
  ].flat()
)

/** A guest that does what it is told, and a client at its monitor. */
const startObedient = Effect.fnUntraced(function* (space: Workspace.Workspace, qemu: Qemu.Qemu) {
  const [ram, boot, socket] = [space.ram("vm"), space.file("boot"), space.file("qmp")]
  Pattern.writeFile(ram, "mixed", SIZE)
  const memory = Fs.openSync(ram, "r+")
  yield* Effect.addFinalizer(() => Effect.sync(() => Fs.closeSync(memory)))
  Fs.writeSync(memory, Buffer.alloc(2), 0, 2, ORDER_AT)
  const disk = Buffer.alloc(64 * 1024)
  bootSector.copy(disk)
  disk.writeUInt16LE(0xaa55, 510)
  Fs.writeFileSync(boot, disk)
  const args = ["-no-shutdown", "-action", "panic=pause", "-device", "pvpanic"]
  const guest = yield* Guest.start({
    qemu,
    ram: { file: ram, size: SIZE },
    boot,
    args: [...args, "-qmp", `unix:${socket},server=on,wait=off`]
  })
  const byte = Buffer.alloc(1)
  while (byte[0] !== 1) {
    yield* Effect.sleep("10 millis")
    Fs.readSync(memory, byte, 0, 1, ORDER_AT + 1)
  }
  const qmp = yield* QmpClient.make({ address: SocketAddress.unix(socket) })
  const order = (what: keyof typeof orders) =>
    Effect.sync(() => void Fs.writeSync(memory, Buffer.of(orders[what]), 0, 1, ORDER_AT))
  return { guest, qmp, order }
})

/** A capture that is so slow that something can happen in the middle; a moment in it. */
const slowly = Effect.fnUntraced(function* (options: Capture.Options) {
  const inTheMiddle = yield* Deferred.make<void>()
  const capturing = yield* Effect.forkChild(
    Capture.run({
      maxBandwidth: 4 * MIB,
      interval: "20 millis",
      onStatistics: ({ ram, status }) =>
        status === "active" && (ram?.transferred ?? 0) > MIB / 4
          ? Effect.asVoid(Deferred.succeed(inTheMiddle, undefined))
          : Effect.void,
      ...options
    })
  )
  yield* Effect.raceFirst(Deferred.await(inTheMiddle), Effect.asVoid(Fiber.join(capturing)))
  return capturing
})

/** A relay in front of a monitor, as ssh is one. */
const relay = Effect.fnUntraced(function* (
  path: string,
  monitor: string,
  onCommand: (text: string) => void = () => undefined
) {
  const sockets = new Set<Net.Socket>()
  const server = Net.createServer((near) => {
    const far = Net.connect(monitor)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on("error", () => socket.destroy())
      socket.on("close", () => void (near.destroy(), far.destroy()))
    }
    near.on("data", (bytes) => {
      onCommand(bytes.toString())
      far.write(bytes)
    })
    far.pipe(near)
  })
  const cut = Effect.sync(() => {
    for (const socket of sockets) socket.destroy()
    sockets.clear()
  })
  const close = Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(path, () => resume(Effect.void))),
    () => Effect.andThen(cut, close)
  )
  return {
    cut,
    close: Effect.andThen(
      Effect.sync(() => void server.close()),
      cut
    )
  }
})

const settingsOf = ({ qmp }: Guest.Guest) =>
  Effect.all([qmp.execute("query-migrate-capabilities"), qmp.execute("query-migrate-parameters")])

describeQemus("what happens while a guest is captured", ["10.0", "11.1"], (qemu) => {
  for (const [name, runState, act] of [
    ["an operator's stop", "paused", (vm: { readonly guest: Guest.Guest }) => vm.guest.qmp.execute("stop")],
    [
      "a panic",
      "guest-panicked",
      (vm: { readonly order: (what: "panic") => Effect.Effect<void> }) => vm.order("panic")
    ],
    [
      "a shutdown",
      "shutdown",
      (vm: { readonly order: (what: "powerOff") => Effect.Effect<void> }) => vm.order("powerOff")
    ]
  ] as const) {
    it.live(`live, ${name}: the image is there, and the guest stays ${runState}`, () =>
      Effect.gen(function* () {
        const space = yield* Workspace.make
        const vm = yield* startObedient(space, qemu)
        yield* vm.guest.qmp.execute("migrate-set-parameters", { "downtime-limit": 1 })
        const capturing = yield* slowly({ qmp: vm.qmp, target: space.file("image"), live: true })
        yield* act(vm)
        const captured = yield* Fiber.join(capturing)
        assert.deepInclude(captured, { runState, downtimeMillis: undefined })
        assert.strictEqual(yield* Guest.runState(vm.guest), runState)
        assert.isTrue(Fs.existsSync(space.file("image")))
      }).pipe(Effect.scoped, Effect.provide(Migration.layer))
    )
  }

  it.live("a guest that is shut down cannot go on, which is no failure", () =>
    Effect.gen(function* () {
      const space = yield* Workspace.make
      const vm = yield* startObedient(space, qemu)
      const problems: Array<string> = []
      const onProblem = (problem: string) => Effect.sync(() => void problems.push(problem))
      const options = { qmp: vm.qmp, target: space.file("image"), live: true, leave: "running" } as const
      const capturing = yield* slowly({ ...options, onProblem })
      yield* vm.order("powerOff")
      assert.strictEqual((yield* Fiber.join(capturing)).runState, "shutdown")
      assert.lengthOf(problems, 1)
      assert.match(problems[0]!, /QEMU refused "cont"/)
    }).pipe(Effect.scoped, Effect.provide(Migration.layer))
  )

  for (const live of [false, true]) {
    it.live(
      `${live ? "live" : "stopped"}, a relay to the monitor is cut: all is put back over another connection`,
      () =>
        Effect.gen(function* () {
          const space = yield* Workspace.make
          const vm = yield* Machine.launch(space, { qemu, downtimeLimit: 300 })
          yield* Workload.reach(vm.ram, 2)
          const before = yield* settingsOf(vm.guest)
          const between = yield* relay(space.file("relay"), vm.socket)
          const qmp = yield* QmpClient.make({ address: SocketAddress.unix(space.file("relay")) })
          const problems: Array<string> = []
          const onProblem = (problem: string) => Effect.sync(() => void problems.push(problem))
          const capturing = yield* slowly({ qmp, target: space.file("image"), live, onProblem })
          yield* between.cut
          const error = yield* Effect.flip(Fiber.join(capturing))
          assert.strictEqual(error._tag, "QmpDisconnectedError")
          assert.deepStrictEqual(problems, [])
          yield* Machine.goesOn(vm)
          assert.deepStrictEqual(yield* settingsOf(vm.guest), before)
          assert.isFalse(Fs.existsSync(space.file("image")))
        }).pipe(Effect.scoped, Effect.provide(Migration.layer))
    )
  }

  it.live("a relay to the monitor is gone: what was not undone is said", () =>
    Effect.gen(function* () {
      const space = yield* Workspace.make
      const vm = yield* Machine.launch(space, { qemu })
      yield* Workload.reach(vm.ram, 2)
      const between = yield* relay(space.file("relay"), vm.socket)
      const qmp = yield* QmpClient.make({ address: SocketAddress.unix(space.file("relay")) })
      const problems: Array<string> = []
      const onProblem = (problem: string) => Effect.sync(() => void problems.push(problem))
      const capturing = yield* slowly({ qmp, target: space.file("image"), onProblem })
      yield* between.close
      assert.strictEqual((yield* Effect.flip(Fiber.join(capturing)))._tag, "QmpDisconnectedError")
      assert.lengthOf(problems, 1)
      assert.match(
        problems[0]!,
        /not undone, if QEMU still runs: .*; the guest, which ran before and may be stopped: cont/
      )
      assert.strictEqual(yield* Guest.runState(vm.guest), "paused")
    }).pipe(Effect.scoped, Effect.provide(Migration.layer))
  )

  for (const [name, command] of [
    ["as it begins to migrate", '"migrate"'],
    ["when everything has arrived", '"migrate_cancel"']
  ] as const) {
    it.live(`QEMU hangs ${name}: PeerTimeoutError in time, nothing at the target`, () =>
      Effect.gen(function* () {
        const space = yield* Workspace.make
        const vm = yield* Machine.launch(space, { qemu })
        yield* Workload.reach(vm.ram, 2)
        const { pid } = vm.guest
        const hang = (text: string) => void (text.includes(`"execute":${command}`) && process.kill(pid, "SIGSTOP"))
        yield* relay(space.file("relay"), vm.socket, hang)
        yield* Effect.addFinalizer(() => Effect.sync(() => process.kill(pid, "SIGCONT")))
        const address = SocketAddress.unix(space.file("relay"))
        const qmp = yield* QmpClient.make({ address, commandTimeout: "2 seconds" })
        const problems: Array<string> = []
        const onProblem = (problem: string) => Effect.sync(() => void problems.push(problem))
        const options = { qmp, target: space.file("image"), timeout: "2 seconds", onProblem } as const
        const error = yield* Effect.flip(Capture.run(options)).pipe(Effect.timeout("30 seconds"))
        assert.strictEqual(error._tag, "PeerTimeoutError")
        assert.match(problems[0]!, /not undone: the migration, /)
        assert.isFalse(Fs.existsSync(space.file("image")))
      }).pipe(Effect.scoped, Effect.provide(Migration.layer))
    )
  }

  it.live("QEMU says that it migrates, and hangs before it connects: PeerTimeoutError in time", () =>
    Effect.gen(function* () {
      const space = yield* Workspace.make
      const vm = yield* Machine.launch(space, { qemu })
      yield* Workload.reach(vm.ram, 2)
      const { pid } = vm.guest
      const direct = yield* QmpClient.make({ address: SocketAddress.unix(vm.socket) })
      // Answered, but on its way to nobody: what QEMU would do as well if it were stopped just then.
      const qmp: QmpClient.Client = {
        ...direct,
        execute: (command, args, result, options) =>
          command === "migrate"
            ? Effect.tap(direct.execute(command, { uri: "exec:cat >/dev/null" }, result, options), () =>
                Effect.sync(() => process.kill(pid, "SIGSTOP"))
              )
            : direct.execute(command, args, result, options)
      }
      yield* Effect.addFinalizer(() => Effect.sync(() => process.kill(pid, "SIGCONT")))
      const options = { qmp, target: space.file("image"), channels: 0, timeout: "1 second" } as const
      const error = yield* Effect.flip(Capture.run({ ...options, onProblem: () => Effect.void }))
      assert.match(error.message, /timed out after 1 s waiting for QEMU to connect and to announce its machine/)
    }).pipe(Effect.scoped, Effect.provide(Migration.layer))
  )

  it.live("a guest that writes as fast as it is copied: it is stopped after its rounds, and goes on", () =>
    Effect.gen(function* () {
      const space = yield* Workspace.make
      const vm = yield* Machine.running(space, { qemu })
      const captured = yield* Capture.run({
        qmp: vm.qmp,
        target: space.file("image"),
        live: true,
        downtimeLimit: 1,
        maxRounds: 6,
        maxBandwidth: 24 * MIB
      })
      assert.isAtLeast(captured.statistics.ram?.["dirty-sync-count"] ?? 0, 7)
      assert.isAtMost(captured.statistics.ram?.["dirty-sync-count"] ?? 0, 12)
      assert.strictEqual(captured.runState, "running")
      assert.isAbove(captured.downtimeMillis ?? 0, 0)
      yield* Machine.goesOn(vm)
      yield* Machine.memoryOf(space, space.file("image"))
    }).pipe(Effect.scoped, Effect.provide(Migration.layer))
  )

  it.live("the same after a time", () =>
    Effect.gen(function* () {
      const space = yield* Workspace.make
      const vm = yield* Machine.running(space, { qemu })
      const options = { live: true, downtimeLimit: 1, maxTime: "1 second", maxBandwidth: 24 * MIB } as const
      const captured = yield* Capture.run({ qmp: vm.qmp, target: space.file("image"), ...options })
      assert.strictEqual(captured.runState, "running")
      yield* Machine.goesOn(vm)
      yield* Machine.memoryOf(space, space.file("image"))
    }).pipe(Effect.scoped, Effect.provide(Migration.layer))
  )
})

describeQemus("a guest that is captured and goes on", ["5.2", "7.2", "11.1"], (qemu) => {
  for (const live of [false, true]) {
    it.live(`${live ? "live" : "stopped"}: by default, twice`, () =>
      Effect.gen(function* () {
        const space = yield* Workspace.make
        const vm = yield* Machine.running(space, { qemu })
        for (const image of ["one", "two"]) {
          const captured = yield* Capture.run({ qmp: vm.qmp, target: space.file(image), live })
          assert.strictEqual(captured.runState, "running")
          assert.isDefined(captured.downtimeMillis)
          yield* Machine.goesOn(vm)
          yield* Machine.memoryOf(space, space.file(image))
        }
      }).pipe(Effect.scoped, Effect.provide(Migration.layer))
    )
  }
})
