import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as PositionalFile from "../../src/io/PositionalFile.ts"
import * as Image from "../../src/migration/Image.ts"
import * as MachineState from "../../src/migration/MachineState.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Resume from "../../src/qmp/Resume.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as VirtualNetwork from "../../src/testing/VirtualNetwork.ts"
import * as FakeQemu from "./support/fakeQemu.ts"
import * as World from "./support/world.ts"

const memory = Uint8Array.from({ length: 64 * 4096 }, (_, at) => (at % 5 === 0 ? at / 4096 : 9))

/** An image of a machine with that memory. */
const makeImage = Effect.fnUntraced(function* (machine: string) {
  const migration = yield* Migration.Migration
  const block = yield* MemoryPages.make({ idstr: FakeQemu.RAM, memory })
  const sections = [{ name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(64) }]
  const machineState = yield* MachineState.fromSections({ machine, sections })
  yield* migration.save({ target: "/images/vm.img", blocks: [block], machineState })
  return yield* Image.open("/images/vm.img")
})

const test = (
  name: string,
  body: (image: Image.Image) => Effect.Effect<void, unknown, Scope.Scope | Migration.Migration>,
  { machine = FakeQemu.MACHINE, plan }: { machine?: string; plan?: ReadonlyArray<VirtualNetwork.Rule> } = {}
) => World.test(name, () => Effect.flatMap(makeImage(machine), body), plan)

const waiting = (state: FakeQemu.State): void =>
  void Object.assign(state, { running: false, runState: "inmigrate", memory: new Uint8Array(memory.length).fill(1) })

describe("Resume", () => {
  for (const paused of [false, true]) {
    for (const channels of [0, 3]) {
      test(`${paused ? "paused" : "running"}, ${channels} channels: the memory is there, the settings are as they were`, (image) =>
        Effect.gen(function* () {
          const { log, qmp, state } = yield* FakeQemu.make(waiting)
          const before = structuredClone([state.capabilities, state.parameters])
          const resumed = yield* Resume.run({ qmp, image, channels, paused })
          assert.deepInclude(resumed, { runState: paused ? "paused" : "running", pages: 64 })
          assert.strictEqual(state.running, !paused)
          assert.deepStrictEqual(state.memory, memory)
          assert.deepStrictEqual([state.capabilities, state.parameters], before)
          // Told to stop before it has anything to run.
          assert.isBelow(log.indexOf("stop"), log.indexOf("migrate-incoming"))
        }))
    }
  }

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
        const error = yield* Effect.flip(Resume.run({ qmp, image }))
        assert.deepInclude(error, { _tag: "QmpCommandError", command: "migrate-incoming" })
        assert.deepStrictEqual(seen, [exitOnError])
      }))
  }

  const cases: ReadonlyArray<readonly [string, (state: FakeQemu.State) => void, string]> = [
    ["a QEMU that runs", () => {}, "found one that is running with a migration none"],
    [
      "a QEMU that listens already",
      (state) => (state.status = "setup"),
      "found one that is inmigrate with a migration setup"
    ],
    [
      "an old QEMU",
      (state) => (state.version = { major: 7, minor: 2, micro: 0 }),
      "expected QEMU 8.1 or later, found 7.2.0"
    ],
    ["no multifd", (state) => delete state.capabilities["multifd"], "expected a QEMU that knows multifd"]
  ]
  for (const [name, change, problem] of cases) {
    test(`${name}: not touched`, (image) =>
      Effect.gen(function* () {
        const { log, qmp } = yield* FakeQemu.make((state) => {
          if (name !== "a QEMU that runs") waiting(state)
          change(state)
        })
        const error = yield* Effect.flip(Resume.run({ qmp, image }))
        assert.strictEqual(error._tag, "VmNotReadyError")
        assert.include(error.message, "unix:/run/qmp: cannot resume: ")
        assert.include(error.message, problem)
        assert.isTrue(log.every((command) => /^(?:query|qom)-/.test(command)))
      }))
  }

  test(
    "an image of another machine type: not touched",
    (image) =>
      Effect.gen(function* () {
        const { qmp } = yield* FakeQemu.make(waiting)
        const error = yield* Effect.flip(Resume.run({ qmp, image }))
        assert.include(
          error.message,
          `expected the machine type pc-q35-9.0 of /images/vm.img, found ${FakeQemu.MACHINE}`
        )
      }),
    { machine: "pc-q35-9.0" }
  )

  test("a machine of another size: QEMU's words, and what we saw of it; nothing runs", (image) =>
    Effect.gen(function* () {
      const { qmp, state } = yield* FakeQemu.make((state) => {
        waiting(state)
        state.memory = new Uint8Array(8192)
      })
      const error = yield* Effect.flip(Resume.run({ qmp, image }))
      assert(error._tag === "QemuMigrationError")
      assert.deepInclude(error, { role: "destination", status: "failed", description: "load of migration failed" })
      assert.match(error.message, /QEMU's migration failed: load of migration failed \(on this side: /)
      assert.isFalse(state.running)
    }))

  test(
    "a connection breaks in the middle",
    (image) =>
      Effect.gen(function* () {
        const { qmp, state } = yield* FakeQemu.make(waiting)
        const before = structuredClone([state.capabilities, state.parameters])
        const error = yield* Effect.flip(Resume.run({ qmp, image, channels: 1 }))
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
        const error = yield* Effect.flip(Resume.run({ qmp, image, channels }))
        assert.strictEqual(error._tag, "IntegrityError")
        assert.isFalse(Buffer.from(state.memory).includes(Buffer.alloc(64, 0xbd)))
        assert.isFalse(state.running)
      }))
  }

  test("QEMU exits instead of saying why: the monitor has ended", (image) =>
    Effect.gen(function* () {
      const { qmp } = yield* FakeQemu.make(waiting, {
        "migrate-incoming": (_args, { hangUp }) => Effect.andThen(hangUp, Effect.never)
      })
      const error = yield* Effect.flip(Resume.run({ qmp, image }))
      assert.strictEqual(error._tag, "QmpDisconnectedError")
    }))
})
