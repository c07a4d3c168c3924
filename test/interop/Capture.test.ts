import { assert, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Image from "../../src/image/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Capture from "../../src/qemu/Capture.ts"
import type * as QmpClient from "../../src/qemu/QmpClient.ts"
import * as QmpCommands from "../../src/qemu/QmpCommands.ts"
import * as Resume from "../../src/qemu/Resume.ts"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import { itGuest, itSpace } from "../support/qemu/it.ts"
import * as Files from "../support/qemu/files.ts"
import * as Machine from "../support/qemu/machine.ts"
import * as Migrate from "../support/qemu/migrate.ts"
import { describeQemu } from "../support/qemu/suite.ts"
import * as Workload from "../support/qemu/workload.ts"
import * as Workspace from "../support/qemu/workspace.ts"

const MIB = 1024 * 1024

const settingsOf = (qmp: QmpClient.Client) =>
  Effect.all([QmpCommands.queryMigrateCapabilities(qmp), QmpCommands.queryMigrateParameters(qmp)])

const runStateOf = (qmp: QmpClient.Client) => Effect.map(QmpCommands.queryStatus(qmp), ({ status }) => status)

/** What is in a directory beside what was there before the guest began. */
const leftovers = (space: Workspace.Workspace) =>
  Fs.readdirSync(Path.dirname(space.file("x"))).filter((name) => !/^vm-(boot|qmp)$/.test(name))

/** For captures that are slowed down: a guest that may be stopped for longer would be stopped at once. */
const hasty = { downtimeLimit: 300 }

/** A capture that is so slow that it can be met in the middle, and the moment at which that is. */
const slowly = Effect.fnUntraced(function* (qmp: QmpClient.Client, options: Omit<Capture.Options, "qmp">) {
  const inTheMiddle = yield* Deferred.make<void>()
  const capturing = yield* Effect.forkChild(
    Capture.run({
      qmp,
      maxBandwidth: 2 * MIB,
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

/** Writes behind the first pages of the guest's RAM: by then, many have been written. */
const isLate = ({ name, position = 0 }: FaultyFiles.Call): boolean => name === "write" && position > 4 * MIB

describeQemu("capture", () => {
  for (const isLive of [false, true]) {
    for (const channels of [0, 4]) {
      itGuest(
        `${isLive ? "live" : "stopped"}, ${channels} channels: again and again, and resumed where it was`,
        function* (vm, space) {
          const before = yield* settingsOf(vm.qmp)
          for (const name of ["one", "two", "three"]) {
            const captured = yield* Capture.run({ qmp: vm.qmp, target: space.file(name), live: isLive, channels })
            assert.strictEqual(yield* runStateOf(vm.qmp), "running")
            assert.deepStrictEqual(yield* settingsOf(vm.qmp), before)
            assert.match(captured.machine, /^pc-i440fx-/)
            assert.strictEqual(captured.statistics.status, "device")
            yield* Machine.goesOn(vm)
            yield* Machine.memoryOf(space, space.file(name))
          }
          const memory = yield* Machine.memoryOf(space, space.file("three"))
          const fresh = yield* Machine.start(space, { name: "fresh", incoming: true })
          const image = yield* Image.open(space.file("three"))
          const resumed = yield* Resume.run({ qmp: fresh.qmp, source: image, channels })
          assert.strictEqual(resumed.runState, "running")
          yield* Workload.reach(fresh.ram, Workload.round(memory) + 1)
          yield* QmpCommands.stop(fresh.qmp)
          assert.doesNotThrow(() => Workload.position(fresh.ram, Machine.END))
        }
      )
    }
  }

  itGuest(
    "the image of a stopped guest is its memory to the last byte, and QEMU loads it itself",
    function* (vm, space) {
      yield* QmpCommands.stop(vm.qmp)
      yield* Capture.run({ qmp: vm.qmp, target: space.file("image") })
      assert.strictEqual(yield* runStateOf(vm.qmp), "paused")
      const memory = yield* Machine.memoryOf(space, space.file("image"))
      assert.strictEqual(Files.firstDifference(vm.ram, memory), undefined)
      const image = yield* Image.open(space.file("image"))
      assert.deepStrictEqual(image.findings, [])
      assert.deepStrictEqual(image.capabilities, ["mapped-ram"])

      const fresh = yield* Machine.start(space, { name: "fresh", incoming: true })
      yield* Migrate.loadCompletely(fresh.guest, { path: space.file("image"), channels: 2 })
      assert.strictEqual(Files.firstDifference(vm.ram, fresh.ram), undefined)
    }
  )

  for (const compression of ["zlib", "zstd"] as const) {
    itGuest(`with ${compression} both ways`, function* (vm, space) {
      yield* Capture.run({ qmp: vm.qmp, target: space.file("image"), live: true, compression })
      const memory = yield* Machine.memoryOf(space, space.file("image"))
      const fresh = yield* Machine.start(space, { name: "fresh", incoming: true })
      const image = yield* Image.open(space.file("image"))
      const resumed = yield* Resume.run({ qmp: fresh.qmp, source: image, compression, paused: true })
      assert.strictEqual(resumed.runState, "paused")
      assert.strictEqual(Files.firstDifference(memory, fresh.ram), undefined)
    })
  }

  itGuest("a guest that runs with the help of hardware, where there is some", { kvm: true }, function* (vm, space) {
    yield* Capture.run({ qmp: vm.qmp, target: space.file("image"), live: true })
    yield* Machine.goesOn(vm)
    const memory = yield* Machine.memoryOf(space, space.file("image"))
    const fresh = yield* Machine.start(space, { name: "fresh", incoming: true, kvm: true })
    yield* Resume.run({ qmp: fresh.qmp, source: yield* Image.open(space.file("image")) })
    yield* Workload.reach(fresh.ram, Workload.round(memory) + 1)
  })

  itGuest("an old machine type, which syncs with every section", { machine: "pc-i440fx-8.0" }, function* (vm, space) {
    const captured = yield* Capture.run({ qmp: vm.qmp, target: space.file("image"), live: true, channels: 2 })
    assert.strictEqual(captured.machine, "pc-i440fx-8.0")
    yield* Machine.memoryOf(space, space.file("image"))
  })

  describeQemu("what becomes of the machine", () => {
    for (const isLive of [false, true]) {
      const kind = isLive ? "live" : "stopped"

      itGuest(`${kind}, left paused: it is at the moment of the image`, function* (vm, space) {
        yield* Capture.run({ qmp: vm.qmp, target: space.file("image"), live: isLive, leave: "paused" })
        assert.strictEqual(yield* runStateOf(vm.qmp), isLive ? "postmigrate" : "paused")
        const memory = yield* Machine.memoryOf(space, space.file("image"))
        assert.strictEqual(Files.firstDifference(vm.ram, memory), undefined)
        yield* QmpCommands.cont(vm.qmp)
        yield* Machine.goesOn(vm)
        yield* Capture.run({ qmp: vm.qmp, target: space.file("again"), live: isLive })
        yield* Machine.memoryOf(space, space.file("again"))
      })

      itGuest(`${kind}, quit: QEMU has gone, and the image is complete`, function* (vm, space) {
        yield* Capture.run({ qmp: vm.qmp, target: space.file("image"), live: isLive, leave: "quit" })
        assert.strictEqual((yield* vm.guest.ended).code, 0)
        const memory = yield* Machine.memoryOf(space, space.file("image"))
        assert.strictEqual(Files.firstDifference(vm.ram, memory), undefined)
      })
    }

    itGuest("a paused guest stays paused and can be captured again, or is let go", function* (vm, space) {
      yield* QmpCommands.stop(vm.qmp)
      for (const isLive of [false, true]) {
        yield* Capture.run({ qmp: vm.qmp, target: space.file(`paused-${isLive}`), live: isLive })
        assert.strictEqual(yield* runStateOf(vm.qmp), "paused")
      }
      yield* Capture.run({ qmp: vm.qmp, target: space.file("let-go"), leave: "running" })
      yield* Machine.goesOn(vm)
      const memories = ["paused-false", "paused-true", "let-go"].map((name) =>
        Machine.memoryOf(space, space.file(name))
      )
      const [first, ...others] = yield* Effect.all(memories)
      for (const other of others) assert.strictEqual(Files.firstDifference(first!, other), undefined)
    })

    itGuest("settings that lock each other up in QEMU are put back", function* (vm, space) {
      yield* QmpCommands.migrateSetParameters(vm.qmp, {
        "multifd-compression": "zlib",
        "multifd-channels": 9,
        "max-bandwidth": 2n ** 64n - 1n,
        "tls-creds": "tls0",
        "downtime-limit": 7777
      })
      // From here on, this QEMU takes no parameter any more.
      yield* QmpCommands.migrateSetCapabilities(vm.qmp, {
        "mapped-ram": true,
        "pause-before-switchover": true,
        "auto-converge": true,
        "validate-uuid": true
      })
      const before = yield* settingsOf(vm.qmp)
      yield* Capture.run({ qmp: vm.qmp, target: space.file("image"), live: true })
      assert.deepStrictEqual(yield* settingsOf(vm.qmp), before)
      yield* Machine.memoryOf(space, space.file("image"))
    })
  })

  describeQemu("a capture that fails", () => {
    for (const isLive of [false, true]) {
      const kind = isLive ? "live" : "stopped"

      it.live(
        `${kind}, called off in the middle: the guest runs as before, nothing is left, and it can be captured`,
        () =>
          Effect.gen(function* () {
            const space = yield* Workspace.make
            const vm = yield* Machine.running(space, hasty)
            const before = yield* settingsOf(vm.qmp)
            const capturing = yield* slowly(vm.qmp, { target: space.file("image"), live: isLive })
            assert.notDeepEqual(yield* settingsOf(vm.qmp), before)
            yield* Fiber.interrupt(capturing)
            assert.strictEqual(yield* runStateOf(vm.qmp), "running")
            assert.strictEqual((yield* QmpCommands.queryMigrate(vm.qmp)).status, "cancelled")
            assert.deepStrictEqual(yield* settingsOf(vm.qmp), before)
            assert.deepStrictEqual(leftovers(space), [])
            yield* Machine.goesOn(vm)
            yield* Capture.run({ qmp: vm.qmp, target: space.file("image"), live: isLive })
            yield* Machine.memoryOf(space, space.file("image"))
          }).pipe(Effect.provide(Migration.layer))
      )

      itGuest(
        `${kind}, disk full in the middle: NoSpaceError, the guest runs as before, nothing is left`,
        function* (vm, space) {
          const before = yield* settingsOf(vm.qmp)
          const { layer: full } = FaultyFiles.make(FaultyFiles.when(isLate, FaultyFiles.Fault.Fail({ code: "ENOSPC" })))
          const error = yield* Capture.run({ qmp: vm.qmp, target: space.file("image"), live: isLive }).pipe(
            Effect.flip,
            Effect.provide(full)
          )
          assert.strictEqual(error._tag, "NoSpaceError")
          assert.strictEqual(yield* runStateOf(vm.qmp), "running")
          assert.deepStrictEqual(yield* settingsOf(vm.qmp), before)
          assert.deepStrictEqual(leftovers(space), [])
          yield* Machine.goesOn(vm)
        }
      )

      itGuest(
        `${kind}, QEMU dies in the middle: QmpDisconnectedError, nothing at the target`,
        hasty,
        function* (vm, space) {
          const capturing = yield* slowly(vm.qmp, { target: space.file("image"), live: isLive })
          process.kill(vm.guest.pid, "SIGKILL")
          const error = yield* Effect.flip(Fiber.join(capturing))
          assert.strictEqual(error._tag, "QmpDisconnectedError")
          assert.deepStrictEqual(leftovers(space), [])
        }
      )
    }

    itGuest("somebody else cancels: QemuMigrationError with both sides' words", hasty, function* (vm, space) {
      const capturing = yield* slowly(vm.qmp, { target: space.file("image"), live: true })
      yield* vm.guest.qmp.execute("migrate_cancel")
      const error = yield* Effect.flip(Fiber.join(capturing))
      assert(error._tag === "QemuMigrationError")
      assert.deepInclude(error, { role: "source", status: "cancelled" })
      assert.include(error.message, "QEMU's migration cancelled: ")
      assert.include(error.message, "on this side: unix:")
      assert.strictEqual(yield* runStateOf(vm.qmp), "running")
      assert.deepStrictEqual(leftovers(space), [])
    })

    itGuest("the target is as it was", hasty, function* (vm, space) {
      Fs.writeFileSync(space.file("image"), "precious")
      const capturing = yield* slowly(vm.qmp, { target: space.file("image"), live: true })
      yield* Fiber.interrupt(capturing)
      assert.strictEqual(Fs.readFileSync(space.file("image"), "utf8"), "precious")
    })

    itGuest("a place that cannot be written: FileNotFoundError, and QEMU was not even stopped", function* (vm) {
      const events = yield* Effect.forkChild(vm.guest.qmp.waitFor("a stop", ({ name }) => name === "STOP"))
      const error = yield* Effect.flip(Capture.run({ qmp: vm.qmp, target: "/nonexistent/image" }))
      assert.strictEqual(error._tag, "FileNotFoundError")
      assert.strictEqual(yield* runStateOf(vm.qmp), "running")
      assert.isUndefined(events.pollUnsafe())
      yield* Fiber.interrupt(events)
    })

    itSpace("a machine that cannot be captured: VmNotReadyError says why, and nothing was touched", function* (space) {
      const waiting = yield* Machine.start(space, { incoming: true })
      const error = yield* Effect.flip(Capture.run({ qmp: waiting.qmp, target: space.file("image") }))
      assert.strictEqual(error._tag, "VmNotReadyError")
      assert.include(error.message, "cannot capture: the guest is inmigrate; ")

      const vm = yield* Machine.running(space, { name: "other", ...hasty })
      yield* Capture.run({ qmp: vm.qmp, target: space.file("image"), live: true, leave: "paused" })
      const stopped = yield* Effect.flip(Capture.run({ qmp: vm.qmp, target: space.file("image") }))
      assert.include(stopped.message, "the guest is postmigrate; an earlier migration stopped it")

      yield* QmpCommands.cont(vm.qmp)
      const capturing = yield* slowly(vm.qmp, { target: space.file("image"), live: true })
      const second = yield* Effect.flip(Capture.run({ qmp: vm.qmp, target: space.file("second") }))
      assert.include(second.message, "a migration is under way (active)")
      yield* Fiber.interrupt(capturing)
    })

    itSpace("a machine with a device that cannot be migrated: QEMU's reason", function* (space) {
      Fs.mkdirSync(space.file("shared"))
      const vm = yield* Machine.running(space, {
        args: ["-drive", `if=none,id=shared,format=raw,file=fat:rw:${space.file("shared")}`]
      })
      const error = yield* Effect.flip(Capture.run({ qmp: vm.qmp, target: space.file("image") }))
      assert.strictEqual(error._tag, "VmNotReadyError")
      assert.match(error.message, /cannot capture: QEMU says: .*vvfat/)
      yield* Machine.goesOn(vm)
    })
  })

  describeQemu("resume", () => {
    itGuest("paused stays paused until it is told otherwise; an image of QEMU's own will do", function* (vm, space) {
      yield* Migrate.save(vm.guest, { path: space.file("image"), channels: 2 })
      const image = yield* Image.open(space.file("image"))
      const fresh = yield* Machine.start(space, { name: "fresh", incoming: true })
      const before = yield* settingsOf(fresh.qmp)
      const resumed = yield* Resume.run({ qmp: fresh.qmp, source: image, channels: 0, paused: true })
      assert.strictEqual(resumed.runState, "paused")
      assert.strictEqual(Files.firstDifference(vm.ram, fresh.ram), undefined)
      assert.deepStrictEqual(yield* settingsOf(fresh.qmp), before)
      yield* QmpCommands.cont(fresh.qmp)
      yield* Machine.goesOn(fresh)
    })

    itGuest(
      "another machine type, or a QEMU that does not wait: VmNotReadyError, and nothing was touched",
      function* (vm, space) {
        yield* Capture.run({ qmp: vm.qmp, target: space.file("image") })
        const image = yield* Image.open(space.file("image"))
        const other = yield* Machine.start(space, { name: "other", incoming: true, machine: "q35" })
        const error = yield* Effect.flip(Resume.run({ qmp: other.qmp, source: image }))
        assert.strictEqual(error._tag, "VmNotReadyError")
        assert.match(error.message, /image is a machine pc-i440fx-.*, and QEMU's is pc-q35-/)
        const running = yield* Effect.flip(Resume.run({ qmp: vm.qmp, source: image }))
        assert.include(running.message, "QEMU does not wait for a machine: it is running")
        assert.strictEqual(yield* runStateOf(vm.qmp), "running")
      }
    )

    itGuest(
      "a machine with other devices: QEMU's words, and the guest has not run",
      { args: ["-device", "virtio-rng-pci"] },
      function* (vm, space) {
        yield* Capture.run({ qmp: vm.qmp, target: space.file("image") })
        const image = yield* Image.open(space.file("image"))
        const other = yield* Machine.start(space, { name: "other", incoming: true })
        const error = yield* Effect.flip(Resume.run({ qmp: other.qmp, source: image }))
        assert(error._tag === "QemuMigrationError")
        assert.deepInclude(error, { role: "destination", status: "failed" })
        assert.match(error.description, /load of migration failed/)
        // Up to 10.0 only its standard error says which.
        assert.match(`${error.description}\n${other.guest.stderr()}`, /virtio-rng/)
        assert.isFalse((yield* QmpCommands.queryStatus(other.qmp)).running)
      }
    )

    itGuest("interrupted: nothing has run, and the image is as it was", function* (vm, space) {
      yield* Capture.run({ qmp: vm.qmp, target: space.file("image") })
      const bytes = Fs.readFileSync(space.file("image"))
      const image = yield* Image.open(space.file("image"))
      const other = yield* Machine.start(space, { name: "other", incoming: true })
      const before = yield* settingsOf(other.qmp)
      process.kill(other.guest.pid, "SIGSTOP")
      const resuming = yield* Effect.forkChild(Resume.run({ qmp: other.qmp, source: image }), {
        startImmediately: true
      })
      process.kill(other.guest.pid, "SIGCONT")
      yield* Fiber.interrupt(resuming)
      assert.isFalse((yield* QmpCommands.queryStatus(other.qmp)).running)
      assert.deepStrictEqual(yield* settingsOf(other.qmp), before)
      assert.isTrue(Fs.readFileSync(space.file("image")).equals(bytes))
    })
  })
})
