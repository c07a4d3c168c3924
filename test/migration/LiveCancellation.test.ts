/**
 * A small live save is interrupted in front of every single operation, and fails at every system call.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Image from "../../src/image/Image.ts"
import * as Migration from "../../src/migration/Migration.ts"
import * as Progress from "../../src/migration/Progress.ts"
import * as FaultyFiles from "../../src/testing/FaultyFiles.ts"
import * as MemoryDisk from "../../src/testing/MemoryDisk.ts"
import * as Interruption from "../support/interruption.ts"
import * as MachineInSteps from "../support/guests/machineInSteps.ts"

const TARGET = "/vm.img"
const old = new Uint8Array(5000).fill(0x11)

/** What the machine hears when all goes well. */
const fullCourse = ["throttle 20", "pause", "throttle 0", "switchover"]

/** A machine, and a disk with an older image. */
const prepare = Effect.gen(function* () {
  const disk = MemoryDisk.make()
  disk.write(TARGET, old)
  const progress = yield* Progress.make
  const machine = yield* MachineInSteps.make()
  return { disk, progress, machine }
})

type Prepared = Effect.Success<typeof prepare>

const saving = ({ machine: { block, live } }: Pick<Prepared, "machine">, progress?: Progress.Progress) =>
  Migration.make.save({ target: TARGET, blocks: [block], live, progress, channels: 2, batchSize: 4 * 4096 })

/** All is closed, and what is there is one image: the old one, or the new one if it had its name already. */
const checkDisk = ({ disk }: Prepared, complete: Uint8Array, place: string) => {
  assert.deepStrictEqual(disk.openFiles(), [], place)
  assert.deepStrictEqual(disk.files(), [TARGET], place)
  const found = disk.read(TARGET)!
  assert.deepStrictEqual(found, found.length === old.length ? old : complete, place)
}

/** Nothing is in the way of another save of the same machine to the same place. */
const checkAnother = Effect.fnUntraced(function* ({ disk, machine }: Prepared, place: string) {
  const contents = yield* Effect.gen(function* () {
    yield* saving({ machine })
    const image = yield* Image.open(TARGET)
    return yield* image.readPages("pc.ram", 0, machine.memory.length)
  }).pipe(Effect.scoped, Effect.provide(disk.layer))
  assert.deepStrictEqual(contents, machine.memory, place)
})

/** What a save leaves behind that nothing happens to, and how many operations it takes. */
const undisturbed = Effect.gen(function* () {
  const prepared = yield* prepare
  const { disk, machine, progress } = prepared
  const { exit, steps } = yield* Interruption.at(Effect.provide(saving(prepared, progress), disk.layer), 0)
  assert.isTrue(Exit.isSuccess(exit))
  assert.deepStrictEqual(machine.heard, fullCourse)
  return { complete: disk.read(TARGET)!, steps }
})

it.live(
  "cancelled at any step, it is cancelled: closed, clean, running, and startable again",
  () =>
    Effect.gen(function* () {
      const { complete, steps } = yield* undisturbed
      const courses = new Set<string>()
      const cancelAt = Effect.fnUntraced(function* (step: number) {
        const prepared = yield* prepare
        const { disk, machine, progress } = prepared
        const { exit } = yield* Interruption.at(Effect.provide(saving(prepared, progress), disk.layer), step)
        const status = yield* progress.status.current
        const course = machine.heard.join()
        const place = `at step ${step} of ${steps}, ${status}, having heard ${course}`
        checkDisk(prepared, complete, place)
        if (status === "completed") return assert.deepStrictEqual(machine.heard, fullCourse, place)
        courses.add(course)
        assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause), place)
        assert.include(["none", "cancelled"], status, place)
        MachineInSteps.checkRunning(machine, place)
        if (step % 5 === 0) yield* checkAnother(prepared, place)
      })
      assert.isAbove(steps, 1000)
      yield* Effect.forEach(
        Array.from({ length: steps }, (_, index) => index + 1),
        cancelAt,
        { concurrency: 32 }
      )
      for (const course of ["", "throttle 20,throttle 0", "throttle 20,pause,throttle 0,switchover,resume"]) {
        assert.isTrue(courses.has(course), course)
      }
    }),
  120_000
)

describe("failing", () => {
  it.live.each(["EIO", "ENOSPC"] as const)("with %s at any system call, it leaves all as it was", (code) =>
    Effect.gen(function* () {
      const { complete } = yield* undisturbed
      const attempt = Effect.fnUntraced(function* (plan: FaultyFiles.Plan) {
        const prepared = yield* prepare
        const files = FaultyFiles.make(plan, prepared.disk.calls)
        const exit = yield* Effect.exit(Effect.provide(saving(prepared, prepared.progress), files.layer))
        return { prepared, files, exit }
      })
      const { files } = yield* attempt(FaultyFiles.none)
      let failures = 0
      const failAt = Effect.fnUntraced(function* (call: FaultyFiles.Call) {
        const { exit, prepared } = yield* attempt(FaultyFiles.at(call.index, FaultyFiles.Fault.Fail({ code })))
        const place = `${call.name} of ${call.path}, call ${call.index}, having heard ${prepared.machine.heard.join()}`
        // Closing what was only read, and the descriptor that only syncs, lose nothing.
        if (Exit.isSuccess(exit)) return assert.strictEqual(call.name, "close", place)
        failures++
        assert.strictEqual(yield* prepared.progress.status.current, "failed", place)
        checkDisk(prepared, complete, place)
        MachineInSteps.checkRunning(prepared.machine, place)
        yield* checkAnother(prepared, place)
      })
      yield* Effect.forEach(files.log(), failAt, { concurrency: 32 })
      assert.isAbove(failures, 20)
    })
  )
})
