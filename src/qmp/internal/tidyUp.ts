import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Client } from "../QmpClient.ts"
import type { QmpError } from "../QmpError.ts"

/**
 * Something that is to be put right.
 *
 * @internal
 */
export interface Step {
  readonly run: Effect.Effect<void, QmpError>
  /** What stays as it is when it cannot be; looked at then. `undefined`: nothing. */
  readonly otherwise: () => string | undefined
}

/** Whoever tidies up is waited for: a monitor that says nothing for so long has more to worry about than us. */
const PATIENCE = Duration.seconds(5)

/**
 * The same monitor for whoever tidies up: each answer has to come soon.
 *
 * @internal
 */
export const impatient = (qmp: Client): Client => ({
  ...qmp,
  execute: (command, args, result, { timeout = qmp.commandTimeout } = {}) =>
    qmp.execute(command, args, result, { timeout: Duration.min(Duration.fromInputUnsafe(timeout), PATIENCE) })
})

const notUndone = (steps: ReadonlyArray<Step>): string => {
  const all = steps.map(({ otherwise }) => otherwise()).filter((text) => text !== undefined)
  return all.length === 0 ? "" : `; not undone: ${all.join("; ")}`
}

/**
 * Takes each step, whatever became of the one before, and tells what went wrong and what stays undone. A QEMU that has gone,
 * or does not answer any more, is left alone.
 *
 * @internal
 */
export const tidyUp = Effect.fnUntraced(function* (
  steps: ReadonlyArray<Step>,
  onProblem: (problem: string) => Effect.Effect<void>
): Effect.fn.Return<void> {
  for (const [index, step] of steps.entries()) {
    const problem = yield* step.run.pipe(
      Effect.as(undefined),
      Effect.catch((error) => Effect.succeed(error))
    )
    if (problem === undefined) continue
    if (problem._tag === "QmpDisconnectedError") return
    const isHung = problem._tag === "PeerTimeoutError"
    yield* onProblem(problem.message + notUndone(isHung ? steps.slice(index) : [step]))
    if (isHung) return
  }
})
