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
export const resumedGuest = (qmp: Client, image: string): Effect.Effect<string> =>
  Effect.matchEffect(stateOf(qmp), {
    onFailure: () => Effect.succeed("the guest has not run, restart QEMU to try again"),
    onSuccess: (status) =>
      status === "inmigrate"
        ? Effect.succeed("the guest has not run, restart QEMU to try again")
        : Effect.map(isIncomplete(qmp), (incomplete) =>
            incomplete
              ? `the guest is ${status}, and its threads wait when they touch memory that was not sent; to continue: ` +
                `multifd resume --qmp ${qmp.peer} ${image} --recover`
              : `the guest is ${status}`
          )
  })

/** `true` if the source of an instant resume has gone. */
const isIncomplete = (qmp: Client): Effect.Effect<boolean> =>
  QmpCommands.queryMigrate(qmp).pipe(
    Effect.map(({ status = "none" }) => status.startsWith("postcopy")),
    Effect.timeout(PATIENCE),
    Effect.orElseSucceed(() => false)
  )
