import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Image from "../../src/image/Image.ts"
import * as MachineState from "../../src/snapshot/MachineState.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as InstantResume from "../../src/qemu/InstantResume.ts"
import * as MemoryPages from "../../src/ram/MemoryPages.ts"
import * as FakeQemu from "../support/worlds/fakeQemu.ts"
import * as World from "../support/worlds/capture.ts"

const memory = new Uint8Array(64 * 4096).fill(9)

const makeImage = Effect.gen(function* () {
  const migration = yield* Migration.Migration
  const block = yield* MemoryPages.make({ idstr: FakeQemu.RAM, memory })
  const sections = [{ name: "cpu", instanceId: 0, version: 1, data: new Uint8Array(64) }]
  const machineState = yield* MachineState.fromSections({ machine: FakeQemu.MACHINE, sections })
  yield* migration.save({ target: "/images/vm.img", blocks: [block], machineState })
  return yield* Image.open("/images/vm.img")
})

/** A QEMU that waits for a machine, knows postcopy, and has a parameter that a resume changes. */
const waiting = (state: FakeQemu.State): void => {
  Object.assign(state, { running: false, runState: "inmigrate", memory: new Uint8Array(memory.length) })
  Object.assign(state.capabilities, { "postcopy-ram": false, "postcopy-preempt": false })
  state.parameters["multifd-compression"] = "zstd"
}

const settingsOf = ({ capabilities, parameters }: FakeQemu.State) => structuredClone([capabilities, parameters])

describe("InstantResume", () => {
  World.test("an interruption while settings are made leaves them as they were", () =>
    Effect.gen(function* () {
      const source = yield* makeImage
      const { log, qmp, state } = yield* FakeQemu.make(waiting, {
        "migrate-set-parameters": (args, state) =>
          Effect.as(
            Effect.delay(
              Effect.sync(() => Object.assign(state.parameters, args)),
              "100 millis"
            ),
            {}
          )
      })
      const before = settingsOf(state)
      const resuming = yield* Effect.forkChild(InstantResume.run({ qmp, source }))
      while (!log.includes("migrate-set-parameters")) yield* Effect.sleep("1 millis")
      assert.isTrue(state.capabilities["postcopy-ram"])
      yield* Fiber.interrupt(resuming)
      assert.deepStrictEqual(settingsOf(state), before)
    })
  )

  World.test("a QEMU that refuses userfaultfd is asked for nothing more, and its settings are as they were", () =>
    Effect.gen(function* () {
      const source = yield* makeImage
      const { log, qmp, state } = yield* FakeQemu.make(waiting, {
        "migrate-set-capabilities": () => Effect.fail("Postcopy is not supported")
      })
      const before = settingsOf(state)
      const error = yield* Effect.flip(InstantResume.run({ qmp, source }))
      assert.strictEqual(error._tag, "VmNotReadyError")
      assert.include(error.message, "Postcopy is not supported")
      assert.notInclude(log, "migrate-incoming")
      assert.deepStrictEqual(settingsOf(state), before)
    })
  )
})
