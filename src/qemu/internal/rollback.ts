import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { PeerTimeoutError } from "../../io/sockets/ConnectionError.ts"
import type { Client } from "../QmpClient.ts"
import type { QmpConnectError, QmpError } from "../QmpError.ts"

/**
 * A change to roll back.
 *
 * @internal
 */
export interface Step {
  readonly run: (qmp: Client) => Effect.Effect<void, QmpError>
  /** Describes what stays changed if the step fails; called then. `undefined`: nothing. */
  readonly ifNotUndone: () => string | undefined
}

/** The caller waits for the rollback, so give up quickly on a monitor that has stopped answering. */
const PATIENCE = Duration.seconds(5)

/**
 * The same monitor for a rollback, with a short limit for each answer.
 *
 * @internal
 */
export const withShortTimeout = (qmp: Client): Client => ({
  ...qmp,
  execute: (command, args, result, { timeout = qmp.commandTimeout } = {}) =>
    qmp.execute(command, args, result, { timeout: Duration.min(Duration.fromInputUnsafe(timeout), PATIENCE) })
})

/** The same monitor over another connection. */
const reconnect = ({ peer, reconnect }: Client): Effect.Effect<Client, QmpConnectError, Scope.Scope> =>
  Effect.map(reconnect, withShortTimeout).pipe(
    Effect.timeoutOrElse({
      duration: PATIENCE,
      orElse: () =>
        Effect.fail(
          new PeerTimeoutError({
            peer,
            expected: "its greeting on another connection",
            milliseconds: Duration.toMillis(PATIENCE)
          })
        )
    })
  )

const notUndone = (steps: ReadonlyArray<Step>, condition = ""): string => {
  const all = steps.map(({ ifNotUndone }) => ifNotUndone()).filter((text) => text !== undefined)
  return all.length === 0 ? "" : `; not undone${condition}: ${all.join("; ")}`
}

/** The monitor, over another connection once the first has ended. */
const makeLine = (qmp: Client) => {
  let monitor = withShortTimeout(qmp)
  let isSecond = false
  return {
    run: (step: Step) => Effect.suspend(() => Effect.result(step.run(monitor))),
    /** The reason why there is no other connection; `undefined`: there is one now. */
    replace: (ended: QmpError): Effect.Effect<string | undefined, never, Scope.Scope> => {
      if (isSecond) return Effect.succeed(ended.message)
      isSecond = true
      return Effect.match(reconnect(qmp), {
        onFailure: ({ message }) => message,
        onSuccess: (other) => void (monitor = other)
      })
    }
  }
}

/**
 * Runs each step, regardless of failures of earlier ones, and reports failures and what stays changed. If the
 * connection to the monitor has ended, makes another one, once: QEMU may still run. A QEMU that cannot be reached, or
 * no longer answers, is left alone.
 *
 * @internal
 */
export const rollback = Effect.fnUntraced(function* (
  qmp: Client,
  steps: ReadonlyArray<Step>,
  onProblem: (problem: string) => Effect.Effect<void>
): Effect.fn.Return<void, never, Scope.Scope> {
  const line = makeLine(qmp)
  for (const [index, step] of steps.entries()) {
    const rest = steps.slice(index)
    let result = yield* line.run(step)
    if (Result.isFailure(result) && result.failure._tag === "QmpDisconnectedError") {
      const why = yield* line.replace(result.failure)
      if (why !== undefined) {
        const left = notUndone(rest, ", if QEMU still runs")
        return left === "" ? undefined : yield* onProblem(`the connection to QEMU's monitor has ended: ${why}${left}`)
      }
      result = yield* line.run(step)
    }
    if (Result.isSuccess(result)) continue
    const isHung = result.failure._tag === "PeerTimeoutError"
    yield* onProblem(result.failure.message + notUndone(isHung ? rest : [step]))
    if (isHung) return
  }
}, Effect.scoped)
