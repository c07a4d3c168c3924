import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { SenderLeftError } from "../../multifd/SenderLeftError.ts"
import type { LastStep } from "../../snapshot/SnapshotTarget.ts"
import * as Metrics from "../Metrics.ts"
import type { Summary, TransferOptions, Written } from "./migrationModel.ts"
import * as Progress from "../Progress.ts"

const summaryOf = (snapshot: Progress.Snapshot): Summary => {
  const { bytesTotal, bytesTransferred, normalPages, pages, phaseMillis, zeroPages } = snapshot
  return { bytesTotal, pages, normalPages, zeroPages, bytesTransferred, phaseMillis }
}

/** Records the outcome of an operation. An operation interrupted before its start may have started in the meantime. */
const conclude = (progress: Progress.Progress, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (Exit.isSuccess(exit)) return progress.enter("completed")
    if (Cause.hasInterruptsOnly(exit.cause)) {
      return Effect.andThen(progress.enter("cancelling"), progress.enter("cancelled"))
    }
    const reason = Cause.squash(exit.cause)
    progress.statistics.failed(reason instanceof Error ? reason.message : String(reason))
    return progress.enter("failed")
  })

/** A sender that did not get the answer keeps its guest running, even if everything it sent is complete. */
const hasLeft = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof SenderLeftError

/**
 * The progress of an operation at the moment of an interruption.
 *
 * ```text
 *   Running ── last ──▶ Committing ──▶ Committed      an interruption is too late: the exit is that of the last step
 *      ╰── interruption ──▶ Cancelling                the last step waits for the interruption, and is not begun
 * ```
 */
type State<A, E> =
  | { readonly _tag: "Running" }
  | { readonly _tag: "Cancelling" }
  | { readonly _tag: "Committing" }
  | { readonly _tag: "Committed"; readonly exit: Exit.Exit<A, E> }

/**
 * An operation. `last` runs the deciding step: with it, the operation has succeeded or failed, whatever follows, unless
 * the sender has left.
 */
type Run<A, E> = (progress: Progress.Progress, last: LastStep<A>) => Effect.Effect<A, E, Scope.Scope>

/**
 * Runs an operation in a scope and in a separate fiber, so that on an interruption its status is `cancelling` before
 * any of its resources is closed. An interruption comes either in time or too late: the scope ends as the progress
 * does.
 */
const concluded = <A, E>(run: Run<A, E>, progress: Progress.Progress): Effect.Effect<A, E> =>
  Effect.uninterruptibleMask(
    Effect.fnUntraced(function* (restore): Effect.fn.Return<A, E> {
      const scope = yield* Scope.make()
      let state: State<A, E> = { _tag: "Running" }
      // A failure of the step is the operation's own, which `run` reports.
      const commit = (exit: Exit.Exit<A, unknown>): void => {
        state = { _tag: "Committed", exit: exit as Exit.Exit<A, E> }
      }
      const last: LastStep<A> = <E2>(step: Effect.Effect<A, E2>) =>
        Effect.suspend(() => {
          if (state._tag === "Cancelling") return Effect.never
          state = { _tag: "Committing" }
          return Effect.uninterruptible(Effect.onExit(step, (exit) => Effect.sync(() => commit(exit))))
        })
      const fiber = yield* Effect.forkChild(restore(Scope.provide(run(progress, last), scope)))
      const cancel = Effect.suspend(() => {
        if (state._tag !== "Running") return Fiber.interrupt(fiber)
        state = { _tag: "Cancelling" }
        return Effect.andThen(progress.enter("cancelling"), Fiber.interrupt(fiber))
      })
      const joined = yield* Effect.exit(Effect.onInterrupt(restore(Fiber.join(fiber)), () => cancel))
      const exit = exitOf(state, joined)
      yield* Scope.close(scope, exit)
      yield* conclude(progress, exit)
      return yield* exit
    })
  )

const exitOf = <A, E>(state: State<A, E>, joined: Exit.Exit<A, E>): Exit.Exit<A, E> =>
  state._tag === "Committed" && !hasLeft(joined) ? state.exit : joined

const destinations: ReadonlySet<string> = new Set(["restore", "receive"])

/**
 * Runs an operation in a scope and under a span, with a progress that ends as it does, and counts it.
 *
 * @internal
 */
export const operation = <A, E>(
  name: "save" | "restore" | "convert" | "send" | "receive",
  options: Pick<TransferOptions, "progress">,
  run: Run<A, E>
): Effect.Effect<Written<A>, E> =>
  Effect.gen(function* () {
    const progress = options.progress ?? (yield* destinations.has(name) ? Progress.makeDestination : Progress.make)
    const value = yield* concluded(run, progress).pipe(
      Effect.onExit(() => Effect.flatMap(progress.snapshot, (snapshot) => Metrics.record(name, snapshot)))
    )
    const summary = summaryOf(yield* progress.snapshot)
    yield* Effect.annotateCurrentSpan({ ...summary, ...summary.phaseMillis })
    return { ...summary, value }
  }).pipe(Effect.withSpan(`Migration.${name}`))
