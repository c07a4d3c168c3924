/** What can be done with a received image, while files go wrong: restoring it, and saving what came out. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Image from "../../../src/image/Image.ts"
import * as Migration from "../../../src/migration/Migration.ts"
import * as FaultyFiles from "../../../src/testing/FaultyFiles.ts"
import * as MemoryDisk from "../../../src/testing/MemoryDisk.ts"
import * as Memory from "../memory.ts"
import * as Checks from "./checks.ts"
import { type Places, TARGET } from "./migration.ts"

const COPY = "/copy.img"
const LAST_CALL = 60
const LAST_STEP = 2500

/** Restores the image, and saves what came out beside it. */
const copy = (channels: number) =>
  Effect.gen(function* () {
    const image = yield* Image.open(TARGET)
    const blocks = yield* Effect.forEach(image.blocks, (block) => Memory.stale({ block }))
    const all = blocks.map(({ block }) => block)
    yield* Migration.make.restore({ source: image, blocks: all, channels, batchSize: 20_000 })
    const { machineState } = image
    yield* Migration.make.save({ target: COPY, blocks: all, machineState, channels, batchSize: 20_000 })
  }).pipe(Effect.scoped)

/** One call on a file fails, or the power does, or nothing at all. */
export const run = Effect.fnUntraced(function* (
  { chance, receiverDisk, scenario, world }: Places,
  expected: ReadonlyArray<Uint8Array>
) {
  const way = chance.pick(["calm", "call", "call", "crash"])
  const index = chance.between(0, LAST_CALL)
  const fault = chance.pick([
    FaultyFiles.Fault.Fail({ code: "EIO" }),
    FaultyFiles.Fault.Fail({ code: "ENOSPC" }),
    FaultyFiles.Fault.Short({ bytes: 0 })
  ])
  const plan = way === "call" ? FaultyFiles.at(index, fault) : FaultyFiles.none
  const files = FaultyFiles.make(plan, receiverDisk.calls, { later: world.later })
  const fiber = yield* Effect.forkChild(Effect.provide(copy(Math.max(1, scenario.channels)), files.layer))
  let afterCrash: MemoryDisk.MemoryDisk | undefined
  if (way === "crash") {
    world.atStep(world.steps() + chance.between(1, LAST_STEP), () => {
      if (fiber.pollUnsafe() !== undefined) return
      afterCrash = receiverDisk.powerCut(...MemoryDisk.anyLoss(world.random))
      fiber.interruptUnsafe()
    })
  }
  const exit = yield* Fiber.await(fiber)
  assert.deepStrictEqual([...files.openFiles(), ...receiverDisk.openFiles()], [])
  for (const disk of afterCrash === undefined ? [receiverDisk] : [receiverDisk, afterCrash]) {
    const isThere = disk.files().includes(COPY)
    if (isThere) yield* Effect.provide(Checks.checkImage(COPY, { expected, isExact: true }), disk.layer)
  }
  if (Exit.isSuccess(exit)) return assert.isTrue(receiverDisk.files().includes(COPY))
  if (way === "call") assert.isTrue(Cause.hasFails(exit.cause), Cause.pretty(exit.cause))
  else assert.isTrue(way === "crash" && Cause.hasInterruptsOnly(exit.cause), Cause.pretty(exit.cause))
})
