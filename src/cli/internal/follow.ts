import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Runtime from "effect/Runtime"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import type { Summary } from "../../migration/Migration.ts"
import * as Progress from "../../migration/Progress.ts"
import type { QemuStatistics } from "../../qmp/QemuStatistics.ts"
import * as Text from "./text.ts"
import { messageOf, ReportedError } from "./report.ts"

/**
 * The flags that say how a command tells what it is doing.
 *
 * @internal
 */
export interface Flags {
  readonly progress: "auto" | "line" | "json"
  readonly quiet: boolean
}

/**
 * What an operation tells about itself.
 *
 * @internal
 */
export interface Audience {
  readonly progress: Progress.Progress
  /** Something that the user should know and that keeps nothing from being done. */
  readonly warn: (message: string) => Effect.Effect<void>
  /** Somebody may connect now, to this URI. Of a command that listens, progress is shown from here on. */
  readonly listening: (uri: string) => Effect.Effect<void>
  /** What QEMU says of its side of the migration; shown along with the progress of this one. */
  readonly otherSide: (statistics: QemuStatistics) => Effect.Effect<void>
}

/** What is written to stderr, as text that ends where the next one begins. */
interface View {
  /** Time between two progress texts; `undefined`: there are none. */
  readonly interval: Duration.Input | undefined
  readonly progress: (now: Progress.Snapshot, otherSide: QemuStatistics | undefined) => string
  readonly warning: (message: string) => string
  readonly listening: (uri: string) => string
  readonly completed: (summary: Summary) => string
  /** `failure` is `undefined` for an interruption. */
  readonly failed: (failure: unknown) => string
  /** Whether `failed` says all there is to say. */
  readonly reportsFailures: boolean
}

/** Back to the first column, clear the line; the text after it is cut off rather than wrapped at the screen's edge. */
const redraw = (text: string): string => `\r\u001b[K\u001b[?7l${text}\u001b[?7h`
const CLEAR = "\r\u001b[K"

const phases: Readonly<Record<Progress.Phase, string>> = {
  waiting: "waiting",
  setup: "setting up",
  ram: "RAM",
  device: "device state",
  sync: "making durable",
  cancelling: "putting everything back",
  completed: "done",
  failed: "failed",
  cancelled: "cancelled"
}

const percent = (done: number, total: number): string => `${Math.floor((done * 100) / total)}%`

/**
 * The line of a terminal: phase, bytes, pages, zero pages, rate, and the time that is left; only the phase before it is
 * known how much there is.
 *
 * @internal
 */
export const progressLine = (now: Progress.Snapshot): string => {
  if (now.bytesTotal === 0) return phases[now.phase]
  const eta = now.phase === "ram" && now.etaMillis !== undefined ? [`ETA ${Text.duration(now.etaMillis)}`] : []
  return [
    `${phases[now.phase]} ${percent(now.bytesDone, now.bytesTotal)}`,
    `${Text.bytes(now.bytesDone)} of ${Text.bytes(now.bytesTotal)}`,
    `${now.pages} pages, ${now.zeroPages} zero`,
    `${Text.bytes(now.bytesPerSecond)}/s`,
    ...eta
  ].join("  ")
}

/**
 * What is added to it when QEMU is at the other side: its status, what it has left, and its passes over RAM.
 *
 * @internal
 */
export const otherSideText = ({ ram = {}, status = "none" }: QemuStatistics): string => {
  const { remaining, "dirty-sync-count": pass } = ram
  return [
    `QEMU: ${Text.printable(status)}`,
    ...(remaining === undefined ? [] : [`${Text.bytes(remaining)} left`]),
    ...(pass === undefined ? [] : [`pass ${pass}`])
  ].join(", ")
}

/**
 * The line that stays when everything is done.
 *
 * @internal
 */
export const summaryLine = (summary: Summary): string => {
  const { device, ram, setup, sync } = summary.phaseMillis
  const total = setup + ram + device + sync
  const rate = total > 0 ? `, ${Text.bytes((summary.bytesTotal * 1000) / total)}/s` : ""
  const pages = `${summary.pages} pages, ${summary.zeroPages} zero`
  return `${Text.bytes(summary.bytesTotal)} (${pages}) in ${Text.duration(total)}${rate}`
}

const nothing = () => ""

const quiet: View = {
  interval: undefined,
  progress: nothing,
  warning: nothing,
  listening: nothing,
  completed: nothing,
  failed: nothing,
  reportsFailures: false
}

const plain: View = { ...quiet, warning: (message) => `multifd: warning: ${Text.oneLine(message)}\n` }

const line: View = {
  interval: "100 millis",
  progress: (now, otherSide) =>
    redraw([progressLine(now), ...(otherSide === undefined ? [] : [otherSideText(otherSide)])].join("  ")),
  warning: (message) => CLEAR + plain.warning(message),
  listening: (uri) => `listening on ${Text.oneLine(uri)}\n`,
  completed: (summary) => `${CLEAR}${summaryLine(summary)}\n`,
  failed: () => CLEAR,
  reportsFailures: false
}

const jsonLine = (event: string, fields: object): string => `${JSON.stringify({ event, ...fields })}\n`

const tagOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : "UnexpectedError"

const json: View = {
  interval: "500 millis",
  progress: (now, qemu) => jsonLine("progress", { ...now, ...(qemu === undefined ? {} : { qemu }) }),
  warning: (message) => jsonLine("warning", { message }),
  listening: (uri) => jsonLine("listening", { uri }),
  completed: (summary) => jsonLine("completed", summary),
  failed: (failure) =>
    failure === undefined
      ? jsonLine("interrupted", { exitCode: 130 })
      : jsonLine("failed", {
          error: tagOf(failure),
          message: messageOf(failure),
          exitCode: Runtime.getErrorExitCode(failure)
        }),
  reportsFailures: true
}

const viewOf = Effect.fnUntraced(function* (flags: Flags): Effect.fn.Return<View, never, Stdio.Stdio> {
  if (flags.quiet) return quiet
  if (flags.progress === "json") return json
  const stdio = yield* Stdio.Stdio
  return flags.progress === "line" || (yield* stdio.stderrIsTerminal) ? line : plain
})

const failureOf = <E>(cause: Cause.Cause<E>): unknown =>
  Cause.hasInterruptsOnly(cause) ? undefined : Cause.squash(cause)

/**
 * Runs an operation and shows on stderr how it goes. What cannot be shown (a closed pipe, a terminal that is gone) is no
 * reason to stop. Of a listener, nothing is shown before it does: whoever starts it waits for that line.
 *
 * @internal
 */
export const follow = Effect.fnUntraced(function* <E, R>(
  flags: Flags,
  operation: (audience: Audience) => Effect.Effect<Summary, E, R>,
  role: "source" | "destination" | "listener" = "source"
): Effect.fn.Return<void, E | ReportedError, R | Stdio.Stdio> {
  const view = yield* viewOf(flags)
  const stdio = yield* Stdio.Stdio
  const showAll = (texts: Stream.Stream<string>) => Effect.ignore(Stream.run(texts, stdio.stderr()))
  const show = (text: string) => (text === "" ? Effect.void : showAll(Stream.succeed(text)))

  const progress = yield* role === "source" ? Progress.make : Progress.makeDestination
  const begun = Latch.makeUnsafe(role !== "listener")
  let otherSide: QemuStatistics | undefined
  const texts = (interval: Duration.Input) =>
    Stream.map(progress.changes(interval), (now) => view.progress(now, otherSide))
  const draw = view.interval === undefined ? Effect.void : showAll(texts(view.interval))
  const drawing = yield* Effect.forkChild(begun.whenOpen(draw))
  const audience: Audience = {
    progress,
    warn: (message) => show(view.warning(message)),
    listening: (uri) => Effect.andThen(show(view.listening(uri)), begun.open),
    otherSide: (statistics) => Effect.sync(() => void (otherSide = statistics))
  }
  const showEnd = Effect.fnUntraced(function* (exit: Exit.Exit<Summary, E>) {
    yield* Exit.isSuccess(exit) ? Effect.andThen(begun.open, Fiber.await(drawing)) : Fiber.interrupt(drawing)
    yield* show(Exit.isSuccess(exit) ? view.completed(exit.value) : view.failed(failureOf(exit.cause)))
  })
  yield* operation(audience).pipe(
    Effect.onExit(showEnd),
    Effect.mapError((error) =>
      view.reportsFailures ? new ReportedError({ exitCode: Runtime.getErrorExitCode(error) }) : error
    )
  )
})
