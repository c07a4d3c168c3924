import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { SenderLeftError } from "../../multifd/SenderLeftError.ts"
import type { LastStep } from "../../snapshot/SnapshotTarget.ts"
import * as Metrics from "../Metrics.ts"
import type { Summary, TransferOptions } from "./migrationModel.ts"
import * as Progress from "../Progress.ts"

const summaryOf = (snapshot: Progress.Snapshot): Summary => {
  const { bytesTotal, bytesTransferred, normalPages, pages, phaseMillis, zeroPages } = snapshot
  return { bytesTotal, pages, normalPages, zeroPages, bytesTransferred, phaseMillis }
}

/** Says how an operation ended, and why. One that was interrupted before it had begun may have begun meanwhile. */
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

/** A sender that did not hear the answer goes on with its guest, however complete what it has sent is. */
const hasLeft = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof SenderLeftError

/**
 * An operation. It may call `commit` where it is too late for anything else than success: whatever comes afterwards, a failure
 * or an interruption, it has succeeded with that value, but for a sender that has left. `commit` says whether it is; not where an interruption is on its way.
 */
type Run<A, E> = (
  progress: Progress.Progress,
  commit: (value: A) => boolean,
  last: LastStep
) => Effect.Effect<A, E, Scope.Scope>

/**
 * Runs an operation in a scope and in a fiber of its own, so that its status says `cancelling`, when it is interrupted, before
 * the innermost of what it has opened is closed. An interruption comes in time or too late, and nothing in between: the scope
 * ends as the progress does.
 */
const concluded = <A, E>(run: Run<A, E>, progress: Progress.Progress): Effect.Effect<A, E> =>
  Effect.uninterruptibleMask(
    Effect.fnUntraced(function* (restore): Effect.fn.Return<A, E> {
      const scope = yield* Scope.make()
      let committed: Exit.Exit<A, E> | undefined
      let isCancelled = false
      let isLast = false
      const commit = (value: A): boolean => {
        if (!isCancelled) committed = Exit.succeed(value)
        return !isCancelled
      }
      // The step is that of an operation without a value, whose failure is the operation's own.
      const conclusion = (exit: Exit.Exit<void, unknown>) => void (committed = exit as Exit.Exit<A, E>)
      const last: LastStep = (step) =>
        Effect.suspend(() => {
          if (isCancelled) return Effect.never
          isLast = true
          return Effect.uninterruptible(Effect.onExit(step, (exit) => Effect.sync(() => conclusion(exit))))
        })
      const fiber = yield* Effect.forkChild(restore(Scope.provide(run(progress, commit, last), scope)))
      const cancel = Effect.suspend(() => {
        isCancelled = committed === undefined && !isLast
        return Effect.andThen(isCancelled ? progress.enter("cancelling") : Effect.void, Fiber.interrupt(fiber))
      })
      const joined = yield* Effect.exit(Effect.onInterrupt(restore(Fiber.join(fiber)), () => cancel))
      const exit: Exit.Exit<A, E> = committed === undefined || hasLeft(joined) ? joined : committed
      yield* Scope.close(scope, exit)
      yield* conclude(progress, exit)
      return yield* exit
    })
  )

const destinations: ReadonlySet<string> = new Set(["restore", "receive"])

/**
 * Runs an operation in a scope and under a span, with a progress that ends as it does, and counts it.
 *
 * @internal
 */
export const operationWith = <A, E>(
  name: "save" | "restore" | "convert" | "send" | "receive",
  options: Pick<TransferOptions, "progress">,
  run: Run<A, E>
): Effect.Effect<readonly [Summary, A], E> =>
  Effect.gen(function* () {
    const progress = options.progress ?? (yield* destinations.has(name) ? Progress.makeDestination : Progress.make)
    const value = yield* concluded(run, progress).pipe(
      Effect.onExit(() => Effect.flatMap(progress.snapshot, (snapshot) => Metrics.record(name, snapshot)))
    )
    const summary = summaryOf(yield* progress.snapshot)
    yield* Effect.annotateCurrentSpan({ ...summary, ...summary.phaseMillis })
    return [summary, value] as const
  }).pipe(Effect.withSpan(`Migration.${name}`))

/**
 * The same for an operation that gives nothing but its summary.
 *
 * @internal
 */
export const operation = <E>(...args: Parameters<typeof operationWith<void, E>>): Effect.Effect<Summary, E> =>
  Effect.map(operationWith(...args), ([summary]) => summary)
