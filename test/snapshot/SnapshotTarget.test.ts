import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as ByteSource from "../../src/snapshot/ByteSource.ts"
import * as SnapshotTarget from "../../src/snapshot/SnapshotTarget.ts"
import * as TransferCounters from "../../src/transfer/TransferCounters.ts"

const machine: SnapshotTarget.MachineHeader = {
  configuration: undefined,
  prelude: new Uint8Array(0),
  ramSectionId: 2,
  blocks: [{ idstr: "ram", usedLength: 4096, pageSize: 4096 }]
}

const transfer = { counters: TransferCounters.make(), coalescePages: 0 }
const layout = { deviceState: { position: 0, length: 0 }, description: { position: 0, length: 0 } }
const end = { early: new Uint8Array(0), switchoverStart: false, footers: true }

/** A target, a filling and everything that happens to them in order; `fails` names the step that fails. */
const recorded = (fails?: string) => {
  const steps: Array<string> = []
  const step = (name: string) =>
    Effect.suspend(() => {
      steps.push(name)
      return name === fails ? Effect.fail(name) : Effect.void
    })
  const target: SnapshotTarget.SnapshotTarget<number, string> = {
    name: "recorded",
    begin: () =>
      Effect.as(step("begin"), {
        openSinks: Effect.succeed(new Map()),
        during: (ram) => Effect.andThen(step("during"), ram),
        endRam: () =>
          Effect.as(step("endRam"), {
            write: () => step("write"),
            written: Effect.succeed(ByteSource.empty),
            finish: () =>
              Effect.as(step("finish"), { sync: Effect.as(step("sync"), { commit: Effect.as(step("commit"), 7) }) })
          })
      })
  }
  const filling: SnapshotTarget.Filling<number, string, string, never> = {
    machine,
    transfer,
    ram: () => Effect.as(step("ram"), end),
    state: (writer) => Effect.as(Effect.andThen(step("state"), writer.write(new Uint8Array(1))), layout),
    enter: (name) => Effect.sync(() => void steps.push(`enter ${name}`)),
    last: (last) =>
      Effect.andThen(
        Effect.sync(() => void steps.push("last")),
        last
      ),
    completing: (complete) =>
      Effect.andThen(
        Effect.sync(() => void steps.push("completing")),
        complete
      ),
    onComplete: Effect.sync(() => void steps.push("complete"))
  }
  return { steps, filled: Effect.scoped(SnapshotTarget.fill(target, filling)) }
}

const inOrder = [
  "begin",
  "enter ram",
  "during",
  "ram",
  "enter device",
  "endRam",
  "state",
  "write",
  "completing",
  "finish",
  "complete",
  "enter sync",
  "sync",
  "last",
  "commit"
]

describe("filling a target", () => {
  it.effect("takes every step once, in the order of durability", () =>
    Effect.gen(function* () {
      const { filled, steps } = recorded()
      assert.strictEqual(yield* filled, 7)
      assert.deepStrictEqual(steps, inOrder)
    })
  )

  for (const fails of ["begin", "during", "ram", "endRam", "state", "write", "finish", "sync", "commit"])
    it.effect(`takes no step after ${fails} when that fails`, () =>
      Effect.gen(function* () {
        const { filled, steps } = recorded(fails)
        assert.deepStrictEqual(yield* Effect.exit(filled), Exit.fail(fails))
        assert.deepStrictEqual(steps, inOrder.slice(0, inOrder.indexOf(fails) + 1))
      })
    )
})
