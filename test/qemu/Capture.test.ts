import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Image from "../../src/image/Image.ts"
import * as RateLimit from "../../src/transfer/RateLimit.ts"
import * as Capture from "../../src/qemu/Capture.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import type { QemuStatistics } from "../../src/qemu/QemuStatistics.ts"
import * as FakeQemu from "../support/worlds/fakeQemu.ts"
import { OTHER, test } from "../support/worlds/capture.ts"

const TARGET = "/images/vm.img"

const settingsOf = ({ capabilities, parameters }: FakeQemu.State) => structuredClone({ capabilities, parameters })
const nothingAt = (disk: MemoryDisk.MemoryDisk) => assert.deepStrictEqual(disk.files(), [OTHER])

describe("Capture", () => {
  for (const live of [false, true]) {
    for (const channels of [0, 3]) {
      test(`${live ? "live" : "stopped"}, ${channels} channels: an image, and the machine as it was`, () =>
        Effect.gen(function* () {
          const { log, qmp, state } = yield* FakeQemu.make()
          const before = settingsOf(state)
          const captured = yield* Capture.run({ qmp, target: TARGET, live, channels })
          assert.deepInclude(captured, { machine: FakeQemu.MACHINE, pages: 64 })
          assert.deepInclude(state, { running: true, runState: "running", status: "cancelled" })
          assert.deepStrictEqual(settingsOf(state), before)
          assert.strictEqual(log.includes("stop"), !live)
          assert.notInclude(log, "quit")
          const image = yield* Image.open(TARGET)
          assert.deepStrictEqual(yield* image.readPages(FakeQemu.RAM, 0, state.memory.length), state.memory)
        }))
    }
  }

  test("the oldest QEMU that is known to work", () =>
    Effect.gen(function* () {
      const { qmp } = yield* FakeQemu.make((state) => void (state.version = { major: 5, minor: 2, micro: 0 }))
      assert.deepInclude(yield* Capture.run({ qmp, target: TARGET }), { machine: FakeQemu.MACHINE })
    }))

  test("left paused after a live capture: completed, so that it does not run on", () =>
    Effect.gen(function* () {
      const { log, qmp, state } = yield* FakeQemu.make()
      yield* Capture.run({ qmp, target: TARGET, live: true, leave: "paused" })
      assert.deepInclude(state, { running: false, runState: "postmigrate", status: "completed" })
      assert.notInclude(log, "migrate_cancel")
      assert.notInclude(log, "stop")
    }))

  test("the image is for its owner alone, and has the checksums that were asked for", (disk) =>
    Effect.gen(function* () {
      const key = new Uint8Array(32).fill(3)
      for (const seal of [undefined, { key }, false] as const) {
        const { qmp } = yield* FakeQemu.make()
        yield* Capture.run({ qmp, target: TARGET, seal, keepPartial: seal !== false })
        assert.strictEqual(disk.stat(TARGET)!.mode & 0o7777, 0o600)
        const image = yield* Image.open(TARGET, { key: seal === undefined || seal === false ? undefined : key })
        assert.strictEqual(
          image.seal?.algorithm,
          seal === false ? undefined : seal === undefined ? "crc32" : "hmac-sha256"
        )
      }
    }))

  test("a paused machine that is to run", () =>
    Effect.gen(function* () {
      const { qmp, state } = yield* FakeQemu.make((state) =>
        Object.assign(state, { running: false, runState: "paused" })
      )
      yield* Capture.run({ qmp, target: TARGET, leave: "running" })
      assert.isTrue(state.running)
    }))

  test("sets what it needs and nothing else, leaves out what QEMU does not know, and puts it back in the other order", () =>
    Effect.gen(function* () {
      const seen: Array<Readonly<Record<string, unknown>>> = []
      const { log, qmp, state } = yield* FakeQemu.make(
        (state) => {
          Object.assign(state.capabilities, { "mapped-ram": true, "auto-converge": true, xbzrle: true })
          Object.assign(state.parameters, { "multifd-compression": "zstd", "downtime-limit": 5 })
          delete state.parameters["mode"]
        },
        {
          migrate: (_args, state) => {
            seen.push(settingsOf(state))
            return Effect.fail("no")
          }
        }
      )
      const before = settingsOf(state)
      yield* Effect.flip(Capture.run({ qmp, target: TARGET, channels: 5, maxBandwidth: 1000 }))
      const [{ capabilities, parameters } = {}] = seen
      assert.deepInclude(capabilities, {
        events: true,
        "return-path": true,
        multifd: true,
        "mapped-ram": false,
        xbzrle: false,
        "auto-converge": true
      })
      assert.deepInclude(parameters, {
        "multifd-channels": 5,
        "multifd-compression": "none",
        "max-bandwidth": 0,
        "downtime-limit": 0
      })
      assert.notProperty(parameters, "mode")
      assert.deepStrictEqual(settingsOf(state), before)
      assert.deepStrictEqual(
        log.filter((command) => command.startsWith("migrate-set")),
        ["migrate-set-capabilities", "migrate-set-parameters", "migrate-set-parameters", "migrate-set-capabilities"]
      )
    }))

  for (const channels of [0, 3]) {
    test(`QEMU 8.1, ${channels} channels: nothing is asked of it that it does not know`, () =>
      Effect.gen(function* () {
        const { log, qmp, state } = yield* FakeQemu.make((state) => {
          FakeQemu.become81(state)
          Object.assign(state.capabilities, { compress: true, block: true })
        })
        const before = settingsOf(state)
        const captured = yield* Capture.run({ qmp, target: TARGET, channels, live: true })
        assert.deepInclude(captured, { machine: "pc-i440fx-8.1", pages: 64 })
        assert.deepStrictEqual(settingsOf(state), before)
        assert.isTrue(log.every((command) => /^(?:query-|qom-get|migrate|stop|cont)/.test(command)))
        const image = yield* Image.open(TARGET)
        assert.deepStrictEqual(yield* image.readPages(FakeQemu.RAM, 0, state.memory.length), state.memory)
      }))
  }

  test("a guest that is captured live does not stand still for the limit", () =>
    Effect.gen(function* () {
      const { qmp, state } = yield* FakeQemu.make()
      const maxBandwidth = yield* RateLimit.make(1000)
      const capturing = yield* Effect.forkChild(Capture.run({ qmp, target: TARGET, live: true, maxBandwidth }))
      while (state.status !== "active") yield* Effect.sleep("1 millis")
      yield* state.tell("STOP")
      yield* Fiber.join(capturing)
      assert.strictEqual(maxBandwidth.bytesPerSecond(), 1000)
    }))

  test("a machine may be larger than a sender's is by default, but not than it says itself", () =>
    Effect.gen(function* () {
      const huge = () => Effect.succeed({ "base-memory": 2 ** 42, "plugged-memory": 2 ** 41 })
      const { qmp } = yield* FakeQemu.make(undefined, { "query-memory-size-summary": huge })
      yield* Capture.run({ qmp, target: TARGET })
      const error = yield* Effect.flip(Capture.run({ qmp, target: TARGET, limits: { maxRam: 4096 } }))
      assert.strictEqual(error._tag, "ProtocolError")
    }))

  test("tells what QEMU says of it", () =>
    Effect.gen(function* () {
      const told: Array<QemuStatistics> = []
      const { qmp } = yield* FakeQemu.make()
      const onStatistics = (statistics: QemuStatistics) => Effect.sync(() => void told.push(statistics))
      yield* Capture.run({ qmp, target: TARGET, onStatistics, interval: "1 millis" })
      assert.include(
        told.map(({ status }) => status),
        "active"
      )
    }))

  describe("a machine that cannot be captured is not touched", () => {
    const cases: ReadonlyArray<readonly [string, (state: FakeQemu.State) => void, string]> = [
      [
        "too old",
        (state) => (state.version = { major: 5, minor: 1, micro: 5 }),
        "this is QEMU 5.1.5; use QEMU 5.2 or later"
      ],
      [
        "a migration",
        (state) => (state.status = "active"),
        "a migration is under way (active); wait for its end, or cancel it"
      ],
      [
        "postmigrate",
        (state) => (state.runState = "postmigrate"),
        "the guest is postmigrate; an earlier migration stopped it"
      ],
      [
        "inmigrate",
        (state) => (state.runState = "inmigrate"),
        "the guest is inmigrate; give it the machine that it waits for first"
      ],
      ["blocked", (state) => (state.blockedReasons = ["nvme"]), "QEMU says: nvme; remove the cause"],
      [
        "without multifd",
        (state) => delete state.capabilities["multifd"],
        "this QEMU does not know multifd; use a QEMU that does, or channels 0"
      ]
    ]
    for (const [name, change, problem] of cases) {
      test(name, (disk) =>
        Effect.gen(function* () {
          const { log, qmp } = yield* FakeQemu.make(change)
          const error = yield* Effect.flip(Capture.run({ qmp, target: TARGET }))
          assert.strictEqual(error._tag, "VmNotReadyError")
          assert.include(error.message, `unix:/run/qmp: cannot capture: ${problem}`)
          assert.isTrue(log.every((command) => /^(?:query|qom)-/.test(command)))
          nothingAt(disk)
        })
      )
    }
    test("without multifd, no channels will do", () =>
      Effect.gen(function* () {
        const { qmp } = yield* FakeQemu.make((state) => void delete state.capabilities["multifd"])
        yield* Capture.run({ qmp, target: TARGET, channels: 0 })
      }))
  })

  describe("a capture that fails leaves everything as it was", () => {
    for (const command of ["migrate-set-capabilities", "migrate-set-parameters", "stop", "migrate"]) {
      test(`QEMU refuses ${command}`, (disk) =>
        Effect.gen(function* () {
          let refusals = 1
          const { log, qmp, state } = yield* FakeQemu.make(undefined, {
            [command]: () => (refusals-- > 0 ? Effect.fail("I would rather not") : Effect.succeed({}))
          })
          const error = yield* Effect.flip(Capture.run({ qmp, target: TARGET }))
          assert(error._tag === "QmpCommandError")
          assert.deepInclude(error, { command, description: "I would rather not" })
          assert.isTrue(state.running)
          // What was refused may be somebody else's migration, which goes on.
          assert.notInclude(log, "migrate_cancel")
          nothingAt(disk)
        }))
    }

    test(
      "QEMU cannot reach us: its words, and ours",
      (disk) =>
        Effect.gen(function* () {
          const { qmp, state } = yield* FakeQemu.make()
          const before = settingsOf(state)
          const error = yield* Effect.flip(
            Capture.run({ qmp, target: TARGET, listen: SocketAddress.tcp("10.0.0.1", 4444) })
          )
          assert(error._tag === "QemuMigrationError")
          assert.deepInclude(error, {
            role: "source",
            status: "failed",
            description: "cannot send to tcp:10.0.0.1:4444"
          })
          assert.include(error.message, "unix:/run/qmp: QEMU's migration failed: cannot send to")
          assert.strictEqual(error["~effect/Runtime/errorExitCode"], 10)
          assert.isTrue(state.running)
          assert.deepStrictEqual(settingsOf(state), before)
          nothingAt(disk)
        }),
      [{ connection: 1, fault: VirtualNetwork.Fault.Refuse() }]
    )

    test(
      "a connection breaks in the middle: both sides' words",
      (disk) =>
        Effect.gen(function* () {
          const { qmp, state } = yield* FakeQemu.make()
          const error = yield* Effect.flip(Capture.run({ qmp, target: TARGET, channels: 1 }))
          assert(error._tag === "QemuMigrationError")
          assert.match(error.message, /QEMU's migration failed: cannot send .* \(on this side: .*connection lost/)
          assert.isTrue(state.running)
          nothingAt(disk)
        }),
      [{ connection: 2, at: 5000, fault: VirtualNetwork.Fault.Reset() }]
    )

    test("the monitor goes away in the middle", (disk) =>
      Effect.gen(function* () {
        const { qmp } = yield* FakeQemu.make(undefined, {
          migrate: (_args, { hangUp }) => Effect.andThen(hangUp, Effect.never)
        })
        const error = yield* Effect.flip(Capture.run({ qmp, target: TARGET }))
        assert.strictEqual(error._tag, "QmpDisconnectedError")
        nothingAt(disk)
      }))

    test("a QEMU that hangs is asked once more, and left alone then", (disk) =>
      Effect.gen(function* () {
        const problems: Array<string> = []
        const { log, qmp } = yield* FakeQemu.make(undefined, { migrate: () => Effect.never }, "1 second")
        const onProblem = (problem: string) => Effect.sync(() => void problems.push(problem))
        const error = yield* Effect.flip(Capture.run({ qmp, target: TARGET, onProblem }))
        assert.strictEqual(error._tag, "PeerTimeoutError")
        assert.lengthOf(problems, 1)
        assert.match(
          problems[0]!,
          /timed out after 1 s waiting for an answer to "migrate_cancel"; not undone: the migration, /
        )
        assert.include(problems[0], "the former settings: events=false, multifd=false, return-path=false, ")
        assert.match(
          problems[0]!,
          /max-bandwidth=134217728.*; the guest, which ran before and may be stopped: cont resumes it$/
        )
        assert.strictEqual(log.at(-1), "migrate")
        nothingAt(disk)
      }))

    test("no room: our error, and a machine that was stopped runs again", (disk) =>
      Effect.gen(function* () {
        const { qmp, state } = yield* FakeQemu.make()
        const small = MemoryDisk.make({ capacity: 100_000 })
        small.write("/images/other", new Uint8Array(1))
        const error = yield* Capture.run({ qmp, target: TARGET }).pipe(Effect.flip, Effect.provide(small.layer))
        assert.strictEqual(error._tag, "NoSpaceError")
        assert.isTrue(state.running)
        nothingAt(small)
        nothingAt(disk)
      }))

    test("an interruption is told to QEMU first: cancelled, not failed", (disk) =>
      Effect.gen(function* () {
        const { log, qmp, state } = yield* FakeQemu.make()
        const before = settingsOf(state)
        const capturing = yield* Effect.forkChild(Capture.run({ qmp, target: TARGET, maxBandwidth: 10_000 }))
        while (state.status !== "active") yield* Effect.sleep("1 millis")
        yield* Fiber.interrupt(capturing)
        assert.deepInclude(state, { running: true, status: "cancelled" })
        assert.include(log, "migrate_cancel")
        assert.deepStrictEqual(settingsOf(state), before)
        nothingAt(disk)
      }))

    test("a capture that was killed is noticed by the next one", () =>
      Effect.gen(function* () {
        const problems: Array<string> = []
        const { qmp, state } = yield* FakeQemu.make((state) => {
          Object.assign(state, { running: false, runState: "paused" })
          Object.assign(state.capabilities, { events: true, "return-path": true, multifd: true })
          Object.assign(state.parameters, { "max-bandwidth": 0, "downtime-limit": 0 })
        })
        const onProblem = (problem: string) => Effect.sync(() => void problems.push(problem))
        yield* Capture.run({ qmp, target: TARGET, onProblem })
        assert.lengthOf(problems, 1)
        assert.include(
          problems[0],
          "unix:/run/qmp: the guest is stopped, and QEMU's settings are those of a capture that was killed"
        )
        assert.isFalse(state.running)
        yield* Capture.run({ qmp, target: TARGET, onProblem, leave: "running" })
        assert.isTrue(state.running)
        yield* Capture.run({ qmp, target: TARGET, onProblem })
        assert.lengthOf(problems, 2)
      }))

    const others: Readonly<Record<string, Partial<FakeQemu.State>>> = {
      "a guest that runs": { running: true, runState: "running" },
      "no return path": { capabilities: { "return-path": false } },
      "a bandwidth": { parameters: { "max-bandwidth": 1 } },
      "a downtime": { parameters: { "downtime-limit": 300 } }
    }
    for (const [name, other] of Object.entries(others)) {
      test(`all of what a capture leaves that was killed, but ${name}, is somebody's own choice`, () =>
        Effect.gen(function* () {
          const problems: Array<string> = []
          const { qmp } = yield* FakeQemu.make((state) => {
            const { capabilities, parameters, ...rest } = other
            Object.assign(state, { running: false, runState: "paused" }, rest)
            Object.assign(state.capabilities, { "return-path": true }, capabilities)
            Object.assign(state.parameters, { "max-bandwidth": 0, "downtime-limit": 0 }, parameters)
          })
          const onProblem = (problem: string) => Effect.sync(() => void problems.push(problem))
          yield* Capture.run({ qmp, target: TARGET, onProblem })
          assert.deepStrictEqual(problems, [])
        }))
    }

    test("settings that cannot be put back are a warning", () =>
      Effect.gen(function* () {
        const problems: Array<string> = []
        let calls = 0
        const { qmp } = yield* FakeQemu.make(undefined, {
          "migrate-set-parameters": (args, state) => {
            if (++calls > 1) return Effect.fail("not now")
            return Effect.sync(() => void Object.assign(state.parameters, args))
          }
        })
        const onProblem = (problem: string) => Effect.sync(() => void problems.push(problem))
        yield* Capture.run({ qmp, target: TARGET, channels: 7, onProblem })
        assert.deepStrictEqual(problems, [
          'unix:/run/qmp: QEMU refused "migrate-set-parameters": not now; not undone: the former settings: ' +
            "events=false, multifd=false, return-path=false, multifd-channels=2, max-bandwidth=134217728, downtime-limit=300"
        ])
      }))
  })
})
