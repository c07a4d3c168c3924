import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type * as ImageNotes from "../../src/format/seal/ImageNotes.ts"
import * as Listener from "../../src/io/sockets/Listener.ts"
import * as PositionalFile from "../../src/io/files/PositionalFile.ts"
import * as SocketAddress from "../../src/io/sockets/SocketAddress.ts"
import * as Image from "../../src/image/Image.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Resume from "../../src/qemu/Resume.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as FakeQemu from "../support/worlds/fakeQemu.ts"
import * as World from "../support/worlds/capture.ts"

const memory = Uint8Array.from({ length: 64 * 4096 }, (_, at) => (at % 5 === 0 ? at / 4096 : 9))

/** An image of a machine with that memory. */
const makeImage = Effect.fnUntraced(function* (
  machine: string,
  { notes, runState }: { readonly notes: ImageNotes.ImageNotes | undefined; readonly runState: string }
) {
  const migration = yield* Migration.Migration
  const block = yield* MemoryPages.make({ idstr: FakeQemu.RAM, memory })
  const globalState = new Uint8Array(104)
  globalState.set([0, 0, 0, runState.length + 1, ...new TextEncoder().encode(runState)])
  const sections = [
    { name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(64) },
    { name: "globalstate", instanceId: 0, version: 1, data: globalState }
  ]
  const machineState = yield* MachineState.fromSections({ machine, sections })
  yield* migration.save({ target: "/images/vm.img", blocks: [block], machineState, notes })
  return yield* Image.open("/images/vm.img")
})

const test = (
  name: string,
  body: (image: Image.Image) => Effect.Effect<void, unknown, Scope.Scope | Migration.Migration>,
  options: {
    machine?: string
    runState?: string
    notes?: ImageNotes.ImageNotes
    plan?: ReadonlyArray<VirtualNetwork.Rule>
  } = {}
) => {
  const { machine = FakeQemu.MACHINE, notes, plan, runState = "running" } = options
  return World.test(name, () => Effect.flatMap(makeImage(machine, { notes, runState }), body), plan)
}

const waiting = (state: FakeQemu.State): void =>
  void Object.assign(state, { running: false, runState: "inmigrate", memory: new Uint8Array(memory.length).fill(1) })

describe("Resume", () => {
  for (const paused of [false, true]) {
    for (const channels of [0, 3]) {
      test(`${paused ? "paused" : "running"}, ${channels} channels: the memory is there, the settings are as they were`, (image) =>
        Effect.gen(function* () {
          const { log, qmp, state } = yield* FakeQemu.make(waiting)
          const before = structuredClone([state.capabilities, state.parameters])
          const resumed = yield* Resume.run({ qmp, source: image, channels, paused })
          assert.deepInclude(resumed, { runState: paused ? "paused" : "running", pages: 64 })
          assert.strictEqual(state.running, !paused)
          assert.deepStrictEqual(state.memory, memory)
          assert.deepStrictEqual([state.capabilities, state.parameters], before)
          // Told to stop before it has anything to run.
          assert.isBelow(log.indexOf("stop"), log.indexOf("migrate-incoming"))
        }))
    }
  }

  test(
    "a machine type that says nothing is loaded without multifd",
    (image) =>
      Effect.gen(function* () {
        const { log, qmp, state } = yield* FakeQemu.make((state) => (waiting(state), (state.machine = "vendor-9")))
        const problems: Array<string> = []
        const onProblem = (problem: string) => Effect.sync(() => void problems.push(problem))
        yield* Resume.run({ qmp, source: image, compression: "zstd", onProblem })
        assert.deepStrictEqual(state.memory, memory)
        assert.match(problems.join(), /machine vendor-9 .* without multifd$/)
        assert.notInclude(log, "migrate-set-parameters")
      }),
    { machine: "vendor-9" }
  )

  for (const [version, exitOnError] of [
    [{ major: 9, minor: 0, micro: 0 }, undefined],
    [{ major: 9, minor: 1, micro: 0 }, false]
  ] as const) {
    test(`QEMU ${version.major}.${version.minor} ${exitOnError === false ? "stays" : "exits"} when it fails`, (image) =>
      Effect.gen(function* () {
        const seen: Array<unknown> = []
        const { qmp } = yield* FakeQemu.make((state) => (waiting(state), (state.version = version)), {
          "migrate-incoming": (args) => {
            seen.push(args["exit-on-error"])
            return Effect.fail("no")
          }
        })
        const error = yield* Effect.flip(Resume.run({ qmp, source: image }))
        assert.deepInclude(error, { _tag: "QmpCommandError", command: "migrate-incoming" })
        assert.deepStrictEqual(seen, [exitOnError])
      }))
  }

  const cases: ReadonlyArray<readonly [string, (state: FakeQemu.State) => void, string]> = [
    [
      "a QEMU that runs",
      () => {},
      "QEMU does not wait for a machine: it is running, with a migration none; start a new one with -incoming defer"
    ],
    [
      "a QEMU that listens already",
      (state) => (state.status = "setup"),
      "QEMU does not wait for a machine: it is inmigrate, with a migration setup"
    ],
    [
      "an old QEMU",
      (state) => (state.version = { major: 5, minor: 1, micro: 0 }),
      "this is QEMU 5.1.0; use QEMU 5.2 or later"
    ],
    ["no multifd", (state) => delete state.capabilities["multifd"], "this QEMU does not know multifd"]
  ]
  for (const [name, change, problem] of cases) {
    test(`${name}: not touched`, (image) =>
      Effect.gen(function* () {
        const { log, qmp } = yield* FakeQemu.make((state) => {
          if (name !== "a QEMU that runs") waiting(state)
          change(state)
        })
        const error = yield* Effect.flip(Resume.run({ qmp, source: image }))
        assert.strictEqual(error._tag, "VmNotReadyError")
        assert.include(error.message, "unix:/run/qmp: cannot resume: ")
        assert.include(error.message, problem)
        assert.isTrue(log.every((command) => /^(?:query|qom|x-query)-/.test(command)))
      }))
  }

  test(
    "an image of another machine type: not touched",
    (image) =>
      Effect.gen(function* () {
        const { qmp } = yield* FakeQemu.make(waiting)
        const error = yield* Effect.flip(Resume.run({ qmp, source: image }))
        assert.include(
          error.message,
          `/images/vm.img is a machine pc-q35-9.0, and QEMU's is ${FakeQemu.MACHINE}; start QEMU with -machine pc-q35-9.0`
        )
      }),
    { machine: "pc-q35-9.0" }
  )

  const text = (lines: string) => Effect.succeed({ "human-readable-text": `Block Name PSize\n${lines}` })
  const SIZE = memory.length
  const UUID = "12345678-1234-1234-1234-123456789abc"
  const refused = Effect.fail("not here")

  const misfits: ReadonlyArray<{
    readonly name: string
    readonly change?: (state: FakeQemu.State) => void
    readonly answers?: NonNullable<Parameters<typeof FakeQemu.make>[1]>
    readonly problem: string
  }> = [
    {
      name: "less RAM",
      change: (state) => (state.memory = new Uint8Array(8192)),
      problem: `the RAM block "pc.ram" has ${SIZE} bytes in /images/vm.img, and 8192 bytes in QEMU`
    },
    {
      name: "more RAM",
      answers: { "x-query-ramblock": () => text(FakeQemu.blockLine("pc.ram", 2 * SIZE)) },
      problem: `the RAM block "pc.ram" has ${SIZE} bytes in /images/vm.img, and ${2 * SIZE} bytes in QEMU`
    },
    {
      name: "no such block, and one that the image does not have",
      answers: { "x-query-ramblock": () => text(FakeQemu.blockLine("0000:00:02.0/a b", SIZE)) },
      problem:
        'QEMU has no RAM block "pc.ram" as /images/vm.img has; start QEMU with the command line of the saved machine. Also: ' +
        'QEMU has a RAM block "0000:00:02.0/a b", and /images/vm.img has none'
    },
    {
      name: "a block that can grow, but not so far",
      answers: { "x-query-ramblock": () => text(FakeQemu.blockLine("pc.ram", 4096, SIZE - 4096)) },
      problem: `the RAM block "pc.ram" has ${SIZE} bytes in /images/vm.img, and room for ${SIZE - 4096} bytes in QEMU`
    },
    {
      name: "a table that only the other monitor has",
      answers: {
        "x-query-ramblock": () => refused,
        "human-monitor-command": () => Effect.succeed(FakeQemu.blockLine("pc.ram", 8192))
      },
      problem: "and 8192 bytes in QEMU"
    },
    {
      name: "more RAM, and no table of blocks",
      change: (state) => (state.memory = new Uint8Array(2 * SIZE)),
      answers: { "x-query-ramblock": () => refused },
      problem: `the guest has ${2 * SIZE} bytes of RAM, and that of /images/vm.img has ${SIZE} to ${SIZE}`
    },
    {
      name: "less RAM, and a table that is none",
      change: (state) => (state.memory = new Uint8Array(8192)),
      answers: { "x-query-ramblock": () => text("nothing") },
      problem: `the guest has 8192 bytes of RAM, and that of /images/vm.img has ${SIZE} to ${SIZE}`
    },
    {
      name: "more vCPUs",
      change: (state) => (state.cpus = 4),
      problem: "/images/vm.img has 1 vCPUs, and QEMU has 4; start QEMU with -smp 1"
    }
  ]
  for (const { answers, change, name, problem } of misfits) {
    test(`${name}: not touched`, (image) =>
      Effect.gen(function* () {
        const { log, qmp } = yield* FakeQemu.make((state) => (waiting(state), change?.(state)), answers)
        const error = yield* Effect.flip(Resume.run({ qmp, source: image }))
        assert.strictEqual(error._tag, "VmNotReadyError")
        assert.include(error.message, problem)
        assert.isTrue(log.every((command) => /^(?:query|qom|x-query|human)-/.test(command)))
      }))
  }

  for (const [name, line] of [
    ["a block that has room to grow", FakeQemu.blockLine("pc.ram", 4096, 2 * SIZE)],
    ["a block that is nobody's", FakeQemu.blockLine("pc.ram", SIZE) + FakeQemu.blockLine("", SIZE)]
  ] as const) {
    test(`${name}: goes`, (image) =>
      Effect.gen(function* () {
        const { qmp } = yield* FakeQemu.make(waiting, { "x-query-ramblock": () => text(line) })
        assert.strictEqual((yield* Resume.run({ qmp, source: image })).runState, "running")
      }))
  }

  test("what QEMU does not answer is not compared", (image) =>
    Effect.gen(function* () {
      const silent = ["x-query-ramblock", "human-monitor-command", "query-uuid"].map((name) => [name, () => refused])
      const odd = { ...Object.fromEntries(silent), "query-cpus-fast": () => Effect.succeed("many") }
      const { qmp, state } = yield* FakeQemu.make(waiting, odd)
      assert.strictEqual((yield* Resume.run({ qmp, source: image })).runState, "running")
      assert.deepStrictEqual(state.memory, memory)
    }))

  for (const channels of [0, 2]) {
    test(`a machine with a uuid, ${channels} channels: the channels have it`, (image) =>
      Effect.gen(function* () {
        const { qmp, state } = yield* FakeQemu.make((state) => (waiting(state), (state.uuid = UUID)))
        assert.strictEqual((yield* Resume.run({ qmp, source: image, channels })).runState, "running")
        assert.deepStrictEqual(state.memory, memory)
      }))
  }

  for (const [name, uuid, found] of [
    ["another uuid", "87654321-4321-4321-4321-cba987654321", "87654321-4321-4321-4321-cba987654321"],
    ["no uuid", "00000000-0000-0000-0000-000000000000", "none"]
  ] as const) {
    test(
      `a machine with ${name} than the image's: not touched, unless it is to be a clone`,
      (image) =>
        Effect.gen(function* () {
          const { log, qmp, state } = yield* FakeQemu.make((state) => (waiting(state), (state.uuid = uuid)))
          const error = yield* Effect.flip(Resume.run({ qmp, source: image }))
          assert.strictEqual(error._tag, "VmNotReadyError")
          assert.include(error.message, `the machine of /images/vm.img has the uuid ${UUID}, and QEMU's has ${found}; `)
          assert.include(error.message, "--new-identity")
          assert.notInclude(log, "stop")
          yield* Resume.run({ qmp, source: image, newIdentity: true })
          assert.deepStrictEqual(state.memory, memory)
        }),
      { notes: { uuid: UUID } }
    )
  }

  test(
    "a machine with the uuid of the image, or one that does not say: goes",
    (image) =>
      Effect.forEach([{}, { "query-uuid": () => refused }], (answers) =>
        Effect.gen(function* () {
          const { qmp, state } = yield* FakeQemu.make((state) => (waiting(state), (state.uuid = UUID)), answers)
          assert.strictEqual((yield* Resume.run({ qmp, source: image })).runState, "running")
          assert.deepStrictEqual(state.memory, memory)
        }).pipe(Effect.scoped)
      ).pipe(Effect.asVoid),
    { notes: { uuid: UUID } }
  )

  test(
    "an image with lost pages: not touched, unless that is allowed",
    (image) =>
      Effect.gen(function* () {
        const { log, qmp, state } = yield* FakeQemu.make(waiting)
        const error = yield* Effect.flip(Resume.run({ qmp, source: image }))
        assert.strictEqual(error._tag, "VmNotReadyError")
        assert.include(
          error.message,
          '3 pages of the RAM block "pc.ram" in /images/vm.img were lost and are zeros; continue without them with --allow-lost'
        )
        assert.notInclude(log, "stop")
        yield* Resume.run({ qmp, source: image, allowLost: true })
        assert.deepStrictEqual(state.memory, memory)
      }),
    { notes: { lost: [{ idstr: "pc.ram", pages: 3 }] } }
  )

  for (const [runState, what] of [
    ["shutdown", "was shut down"],
    ["guest-panicked", "had panicked"],
    ["internal-error", "was stopped by an internal error of QEMU"]
  ] as const) {
    test(
      `a guest that ${what}: not touched, unless it is only to be looked at`,
      (image) =>
        Effect.gen(function* () {
          const { log, qmp, state } = yield* FakeQemu.make(waiting)
          const error = yield* Effect.flip(Resume.run({ qmp, source: image }))
          assert.include(
            error.message,
            `the guest in /images/vm.img cannot resume: it ${what} (${runState}); load it with --paused (paused) to look at it`
          )
          assert.notInclude(log, "stop")
          yield* Resume.run({ qmp, source: image, paused: true })
          assert.deepStrictEqual(state.memory, memory)
          assert.isFalse(state.running)
        }),
      { runState }
    )
  }

  test("QEMU cannot load it: its words, where it says more, and what we saw of it; nothing runs", (image) =>
    Effect.gen(function* () {
      const { qmp, state } = yield* FakeQemu.make(
        (state) => {
          waiting(state)
          state.memory = new Uint8Array(8192)
        },
        { "x-query-ramblock": () => text(FakeQemu.blockLine("pc.ram", SIZE)) }
      )
      const error = yield* Effect.flip(Resume.run({ qmp, source: image }))
      assert(error._tag === "QemuMigrationError")
      assert.deepInclude(error, { role: "destination", status: "failed", description: "load of migration failed" })
      assert.match(
        error.message,
        /QEMU's migration failed: load of migration failed; QEMU's standard error says why \(on this side: .*\)$/
      )
      assert.isFalse(state.running)
    }))

  test(
    "a connection breaks in the middle",
    (image) =>
      Effect.gen(function* () {
        const { qmp, state } = yield* FakeQemu.make(waiting)
        const before = structuredClone([state.capabilities, state.parameters])
        const error = yield* Effect.flip(Resume.run({ qmp, source: image, channels: 1 }))
        assert.strictEqual(error._tag, "QemuMigrationError")
        assert.isFalse(state.running)
        assert.deepStrictEqual([state.capabilities, state.parameters], before)
      }),
    { plan: [{ connection: 2, at: 5000, fault: VirtualNetwork.Fault.Reset() }] }
  )

  for (const channels of [0, 2]) {
    test(`a page that does not have its checksum, ${channels} channels: QEMU never sees it, and runs nothing`, (image) =>
      Effect.gen(function* () {
        const { qmp, state } = yield* FakeQemu.make(waiting)
        const [block] = image.blocks
        const file = yield* PositionalFile.open(image.path, { access: "write" })
        yield* file.write(block!.pagesOffset + 7 * 4096, new Uint8Array(64).fill(0xbd))
        const error = yield* Effect.flip(Resume.run({ qmp, source: image, channels }))
        assert.strictEqual(error._tag, "IntegrityError")
        assert.isFalse(Buffer.from(state.memory).includes(Buffer.alloc(64, 0xbd)))
        assert.isFalse(state.running)
      }))
  }

  for (const words of [
    "Failed to unlink socket /x/migration: Permission denied",
    "Failed to bind socket to /x/migration: No such file or directory",
    "UNIX socket path '/x' is too long"
  ]) {
    test(`QEMU cannot listen where it should (${words}): the place, its words and the way out`, (image) =>
      Effect.gen(function* () {
        const { qmp } = yield* FakeQemu.make(waiting, { "migrate-incoming": () => Effect.fail(words) })
        const error = yield* Effect.flip(Resume.run({ qmp, source: image, listen: SocketAddress.unix("/x/migration") }))
        assert.deepInclude(error, { _tag: "SocketUnreachableError", address: "unix:/x/migration", description: words })
        assert.match(
          error.message,
          /--listen unix:PATH in a directory of both, or --listen tcp:HOST:PORT; start this QEMU again first$/
        )
      }))
  }

  test("QEMU listens in a directory of its own: the place and the way out", (image) =>
    Effect.gen(function* () {
      const { qmp } = yield* FakeQemu.make(waiting, { "migrate-incoming": () => Effect.succeed({}) })
      const error = yield* Effect.flip(Resume.run({ qmp, source: image, listen: SocketAddress.unix("/x/migration") }))
      assert.deepInclude(error, { _tag: "SocketUnreachableError", address: "unix:/x/migration" })
      assert.match(
        error.message,
        /unix:\/x\/migration \(main channel\): cannot connect \(\w+\); if QEMU runs as another user/
      )
    }))

  test("QEMU is told where to listen: on this machine alone where no host is named, and always on a port", (image) =>
    Effect.gen(function* () {
      const uris: Array<unknown> = []
      const answer = ({ uri }: Readonly<Record<string, unknown>>) => (uris.push(uri), Effect.fail("no"))
      const { log, qmp } = yield* FakeQemu.make(waiting, { "migrate-incoming": answer })
      const none = yield* Effect.flip(Resume.run({ qmp, source: image, listen: SocketAddress.tcp("h", 0) }))
      assert.include(none.message, "QEMU cannot listen on the TCP port 0; name a port (--listen tcp:HOST:PORT)")
      assert.notInclude(log, "stop")
      yield* Effect.flip(Resume.run({ qmp, source: image, listen: SocketAddress.tcp("", 4444) }))
      assert.deepStrictEqual(uris, ["tcp:127.0.0.1:4444"])
    }))

  test("QEMU takes everything and hangs then: given up in time", (image) =>
    Effect.gen(function* () {
      const { qmp, state } = yield* FakeQemu.make((state) => (waiting(state), (state.isMute = true)))
      const error = yield* Effect.flip(Resume.run({ qmp, source: image, timeout: "200 millis" }))
      assert.deepInclude(error, { _tag: "PeerTimeoutError", peer: "unix:/run/qmp", milliseconds: 200 })
      assert.include(error.message, "QEMU to report that the machine has arrived")
      assert.isFalse(state.running)
    }))

  test("QEMU listens, and takes nothing: given up in time", (image) =>
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const listen = SocketAddress.unix("/x/migration")
      const { qmp } = yield* FakeQemu.make(waiting, {
        "migrate-incoming": () => Effect.as(Effect.orDie(Scope.provide(Listener.make({ address: listen }), scope)), {})
      })
      const error = yield* Effect.flip(Resume.run({ qmp, source: image, listen, channels: 0, timeout: "200 millis" }))
      assert.deepInclude(error, { _tag: "PeerTimeoutError", milliseconds: 200 })
    }))

  test("QEMU listens where others could come, too: that is said", (image) =>
    Effect.gen(function* () {
      const told = Effect.fnUntraced(function* (listen: SocketAddress.SocketAddress) {
        const problems: Array<string> = []
        const { qmp } = yield* FakeQemu.make(waiting, { "migrate-incoming": () => Effect.fail("no") })
        const onProblem = (problem: string) => Effect.sync(() => void problems.push(problem))
        yield* Effect.flip(Resume.run({ qmp, source: image, listen, onProblem }))
        return problems
      }, Effect.scoped)
      assert.match(
        (yield* told(SocketAddress.tcp("0.0.0.0", 4444))).join(),
        /^anyone who reaches tcp:0\.0\.0\.0:4444 can/
      )
      assert.deepStrictEqual(yield* told(SocketAddress.tcp("", 4444)), [])
      assert.deepStrictEqual(yield* told(SocketAddress.unix("/x/migration")), [])
    }))

  test("QEMU exits instead of saying why: the monitor has ended", (image) =>
    Effect.gen(function* () {
      const { qmp } = yield* FakeQemu.make(waiting, {
        "migrate-incoming": (_args, { hangUp }) => Effect.andThen(hangUp, Effect.never)
      })
      const error = yield* Effect.flip(Resume.run({ qmp, source: image }))
      assert.strictEqual(error._tag, "QmpDisconnectedError")
      assert.match(
        error.message,
        /the connection to QEMU.s monitor ended before an answer[^;]*; a QEMU that cannot load the image exits, and its standard error says why$/
      )
    }))
})
