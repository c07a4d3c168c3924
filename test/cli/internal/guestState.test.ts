import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { capturedGuest, resumedGuest } from "../../../src/cli/internal/guestState.ts"
import type { Client } from "../../../src/qemu/QmpClient.ts"

/** A monitor that answers with a run state, or not at all; and how long it was waited for. */
const monitor = (status: string | undefined) => {
  const asked: Array<unknown> = []
  const execute = (command: string, _args: unknown, _result: unknown, options: unknown) => {
    asked.push(command, options)
    return status === undefined ? Effect.fail("gone") : Effect.succeed({ status, running: status === "running" })
  }
  return { asked, qmp: { execute } as unknown as Client }
}

describe("guestState", () => {
  it.effect.each([
    ["running", false, "the guest runs again"],
    ["running", true, "the guest runs"],
    ["paused", false, "the guest is paused"],
    ["shutdown", true, "the guest is shutdown"],
    [undefined, false, "the guest's state is not known, because QEMU's monitor does not answer"]
  ] as const)("of one that is captured, %s, live %s: %s", ([status, isLive, expected]) =>
    Effect.gen(function* () {
      const { asked, qmp } = monitor(status)
      assert.strictEqual(yield* capturedGuest(qmp, isLive), expected)
      assert.deepStrictEqual(asked, ["query-status", { timeout: "5 seconds" }])
    })
  )

  it.effect.each([
    ["inmigrate", "the guest has not run, restart QEMU to try again"],
    [undefined, "the guest has not run, restart QEMU to try again"],
    ["running", "the guest is running"]
  ] as const)("of one that is resumed, %s: %s", ([status, expected]) =>
    Effect.gen(function* () {
      const { asked, qmp } = monitor(status)
      assert.strictEqual(yield* resumedGuest(qmp, "vm.img"), expected)
      assert.deepStrictEqual(asked.slice(0, 2), ["query-status", { timeout: "5 seconds" }])
    })
  )
})
