import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import type { Summary } from "../../migration/Migration.ts"
import * as Progress from "../../migration/Progress.ts"
import type { QemuStatistics } from "../../qemu/QemuStatistics.ts"
import * as Answer from "./answer.ts"
import { Completion } from "./completion.ts"
import { logTo } from "./logger.ts"
import { interruptedText, type Outcome, outcomeOf, type Subject, toJson } from "./outcome.ts"
import * as Failure from "./failure.ts"
import { reportedAs, type ReportedError } from "./reportedError.ts"
import { type Flags, viewOf } from "./view.ts"

/**
 * The events of an operation.
 *
 * @internal
 */
export interface Audience {
  readonly progress: Progress.Progress
  /** A warning that does not stop the operation. */
  readonly warn: (message: string) => Effect.Effect<void>
  /** The operation accepts connections at this URI. For a command that listens, progress is shown from here on. */
  readonly listening: (uri: string) => Effect.Effect<void>
  /** The guest of an instant resume runs, or is loaded. */
  readonly running: (milliseconds: number, event: "running" | "loaded") => Effect.Effect<void>
  /** QEMU's statistics of its side of the migration, shown along with the progress of this side. */
  readonly otherSide: (statistics: QemuStatistics) => Effect.Effect<void>
  /** The state left by an interruption, apart from the image being written. */
  readonly leaves: (text: string) => Effect.Effect<void>
}

/**
 * The command that is followed.
 *
 * @internal
 */
export interface Followed extends Subject {
  /** Default: source. A listener is a destination that shows nothing before it listens. */
  readonly role?: "source" | "destination" | "listener" | undefined
}

/**
 * Runs an operation and shows its progress on stderr. A failure to show it (a closed pipe, a lost terminal) does not
 * stop the operation. A listener shows nothing before it listens: its caller waits for that line. An interruption that
 * came too late, when the image had its name, is shown as a success.
 *
 * @internal
 */
export const follow = Effect.fnUntraced(function* <E, R>(
  flags: Flags,
  { role = "source", ...subject }: Followed,
  operation: (audience: Audience) => Effect.Effect<Summary, E, R>
): Effect.fn.Return<Outcome, E | ReportedError, R | Stdio.Stdio> {
  const view = yield* viewOf(flags)
  const stdio = yield* Stdio.Stdio
  const showAll = (texts: Stream.Stream<string>) => Effect.ignore(Stream.run(texts, stdio.stderr()))
  const show = (text: string) => (text === "" ? Effect.void : showAll(Stream.succeed(text)))

  const progress = yield* role === "source" ? Progress.make : Progress.makeDestination
  const begun = Latch.makeUnsafe(role !== "listener")
  let otherSide: QemuStatistics | undefined
  let left = subject.left
  const texts = (interval: Duration.Input) =>
    Stream.map(progress.changes(interval), (now) => view.progress(now, otherSide))
  const draw = view.interval === undefined ? Effect.void : showAll(texts(view.interval))
  const drawing = yield* Effect.forkChild(begun.whenOpen(draw))
  const audience: Audience = {
    progress,
    warn: (message) => show(view.warning(message)),
    listening: (uri) => Effect.andThen(show(view.listening(uri)), begun.open),
    running: (milliseconds, event) => show(view.running(milliseconds, event)),
    otherSide: (statistics) => Effect.sync(() => void (otherSide = statistics)),
    leaves: (text) => Effect.sync(() => void (left = text))
  }
  const interrupted = (isComplete: boolean) =>
    Effect.suspend(() =>
      Effect.tap(interruptedText({ ...subject, left }, isComplete), (text) => Answer.update({ left: text }))
    )
  const showEnd = Effect.fnUntraced(function* (exit: Exit.Exit<Summary, E>) {
    yield* Exit.isSuccess(exit) ? Effect.andThen(begun.open, Fiber.await(drawing)) : Fiber.interrupt(drawing)
    if (Exit.isSuccess(exit)) return yield* show(view.completed(yield* outcomeOf(exit.value, subject)))
    if (!Cause.hasInterruptsOnly(exit.cause)) return yield* show(view.failed(exit.cause))
    const now = yield* progress.snapshot
    const isComplete = subject.isWritten === true && now.phase === "completed"
    if (!isComplete || left !== undefined) return yield* show(view.interrupted(yield* interrupted(isComplete)))
    const { bytesTotal, bytesTransferred, normalPages, pages, phaseMillis, zeroPages } = now
    const summary = { bytesTotal, bytesTransferred, normalPages, pages, phaseMillis, zeroPages }
    const outcome = yield* outcomeOf(summary, subject)
    yield* show(view.completed(outcome))
    yield* Answer.update({ result: toJson(outcome) })
    yield* Effect.sync(yield* Completion)
  })
  const summary = yield* operation(audience).pipe(
    logTo(view),
    Effect.onExit(showEnd),
    Effect.catchCause((cause): Effect.Effect<never, E | ReportedError> => {
      if (!view.reportsFailures || Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause)
      return Effect.fail(reportedAs(Failure.fromCause(cause)))
    })
  )
  return yield* outcomeOf(summary, subject)
})
