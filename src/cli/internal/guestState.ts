import * as Effect from "effect/Effect"
import type { Client } from "../../qemu/QmpClient.ts"
import * as QmpCommands from "../../qemu/QmpCommands.ts"
import { printable } from "./text.ts"

/** The user who interrupted is waiting for the answer. */
const PATIENCE = "5 seconds"

const stateOf = (qmp: Client) => {
  const withShortTimeout: Client = {
    ...qmp,
    execute: (command, args, result) => qmp.execute(command, args, result, { timeout: PATIENCE })
  }
  return Effect.map(QmpCommands.queryStatus(withShortTimeout), ({ status }) => printable(status))
}

const UNKNOWN = "the guest's state is not known, because QEMU's monitor does not answer"

/**
 * The state of the guest after an interrupted capture. One that is captured live was not stopped for it.
 *
 * @internal
 */
export const capturedGuest = (qmp: Client, isLive: boolean): Effect.Effect<string> =>
  Effect.match(stateOf(qmp), {
    onFailure: () => UNKNOWN,
    onSuccess: (status) => {
      if (status !== "running") return `the guest is ${status}`
      return isLive ? "the guest runs" : "the guest runs again"
    }
  })

/**
 * The state of the guest after an interrupted resume.
 *
 * @internal
 */
export const resumedGuest = (qmp: Client): Effect.Effect<string> =>
  Effect.match(stateOf(qmp), {
    onFailure: () => "the guest has not run, restart QEMU to try again",
    onSuccess: (status) =>
      status === "inmigrate" ? "the guest has not run, restart QEMU to try again" : `the guest is ${status}`
  })
