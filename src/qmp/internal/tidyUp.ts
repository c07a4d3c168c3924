import * as Effect from "effect/Effect"
import type { QmpError } from "../QmpError.ts"

/**
 * Takes each step, whatever became of the one before, and tells what went wrong. A QEMU that has gone, or does not answer any
 * more, is left alone.
 *
 * @internal
 */
export const tidyUp = Effect.fnUntraced(function* (
  steps: ReadonlyArray<Effect.Effect<void, QmpError>>,
  onProblem: (problem: string) => Effect.Effect<void>
): Effect.fn.Return<void> {
  for (const step of steps) {
    const problem = yield* step.pipe(
      Effect.as(undefined),
      Effect.catch((error) => Effect.succeed(error))
    )
    if (problem === undefined) continue
    if (problem._tag === "QmpDisconnectedError") return
    yield* onProblem(problem.message)
    if (problem._tag === "PeerTimeoutError") return
  }
})
