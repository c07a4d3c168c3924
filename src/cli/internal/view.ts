import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import type * as Progress from "../../migration/Progress.ts"
import type { QemuStatistics } from "../../qemu/QemuStatistics.ts"
import { type Outcome, summaryLine } from "./outcome.ts"
import { type Paint, Paints } from "./paint.ts"
import { progressLine } from "./progressLine.ts"
import * as Failure from "./failure.ts"
import { Screen, widthOf } from "./screen.ts"
import * as Text from "./text.ts"

/**
 * The flags for a command's reporting.
 *
 * @internal
 */
export interface Flags {
  readonly progress: "auto" | "line" | "json"
  readonly quiet: boolean
}

/**
 * The text for stderr, which ends where the next one begins.
 *
 * @internal
 */
export interface View {
  /** Time between two progress texts; `undefined`: no progress. */
  readonly interval: Duration.Input | undefined
  readonly progress: (now: Progress.Snapshot, otherSide: QemuStatistics | undefined) => string
  readonly warning: (message: string) => string
  /** Messages that `--log-level` shows in addition to warnings. */
  readonly log: (level: string, message: string) => string
  readonly listening: (uri: string) => string
  /** The guest of an instant resume runs, or with `loaded` is ready to. */
  readonly running: (milliseconds: number, event: "running" | "loaded") => string
  readonly completed: (outcome: Outcome) => string
  /** `left`: the state left by an interruption. */
  readonly interrupted: (left: string) => string
  readonly failed: (cause: Cause.Cause<unknown>) => string
  /** `true` if `failed` reports everything. */
  readonly reportsFailures: boolean
}

/** Returns to the first column and clears the line; longer text is cut off at the screen's edge rather than wrapped. */
const redraw = (text: string): string => `\r\u001b[K\u001b[?7l${text}\u001b[?7h`
const CLEAR = "\r\u001b[K"

const nothing = () => ""

const quiet: View = {
  interval: undefined,
  progress: nothing,
  warning: nothing,
  log: nothing,
  listening: nothing,
  running: nothing,
  completed: nothing,
  interrupted: nothing,
  failed: nothing,
  reportsFailures: false
}

/**
 * For a file, and for readers of several programs' output.
 *
 * @internal
 */
export const plain: View = {
  ...quiet,
  warning: (message) => plain.log("warning", message),
  log: (level, message) => `multifd: ${level}: ${Text.oneLine(message)}\n`,
  running: (milliseconds, event) => `${event} after ${Math.round(milliseconds)} ms\n`,
  interrupted: (left) => `multifd: interrupted: ${Text.oneLine(left)}\n`
}

/** For a terminal that cannot overwrite a line. */
const dumb: View = {
  ...plain,
  listening: (uri) => `listening on ${Text.oneLine(uri)}\n`,
  completed: (outcome) => `${summaryLine(outcome)}\n`
}

const line = (screen: Screen, paint: Paint): View => ({
  ...dumb,
  interval: "100 millis",
  progress: (now, otherSide) => redraw(progressLine(now, otherSide, widthOf(screen.columns()))),
  warning: (message) => CLEAR + paint.warning("multifd: warning:") + ` ${Text.oneLine(message)}\n`,
  log: (level, message) => CLEAR + dumb.log(level, message),
  running: (milliseconds, event) => CLEAR + dumb.running(milliseconds, event),
  completed: (outcome) => CLEAR + dumb.completed(outcome),
  interrupted: (left) => CLEAR + dumb.interrupted(left),
  failed: () => CLEAR
})

const jsonLine = (event: string, fields: object): string => `${JSON.stringify({ event, ...fields })}\n`

const json: View = {
  interval: "500 millis",
  progress: (now, qemu) => jsonLine("progress", { ...now, ...(qemu === undefined ? {} : { qemu }) }),
  warning: (message) => jsonLine("warning", { message }),
  log: (level, message) => jsonLine("log", { level, message }),
  listening: (uri) => jsonLine("listening", { uri }),
  running: (milliseconds, event) => jsonLine(event, { ms: Math.round(milliseconds) }),
  completed: ({ bytesOnDisk, path, summary }) => jsonLine("completed", { path, ...summary, bytesOnDisk }),
  interrupted: (message) => jsonLine("interrupted", { message, exitCode: 130 }),
  failed: (cause) => {
    const { exitCode, message, tag, trace } = Failure.fromCause(cause)
    return jsonLine("failed", { error: tag, message, exitCode, trace })
  },
  reportsFailures: true
}

/**
 * The view for a command's flags.
 *
 * @internal
 */
export const viewOf = Effect.fnUntraced(function* (flags: Flags): Effect.fn.Return<View, never, Stdio.Stdio> {
  if (flags.quiet) return quiet
  if (flags.progress === "json") return json
  const stdio = yield* Stdio.Stdio
  const screen = yield* Screen
  if (flags.progress === "auto" && !(yield* stdio.stderrIsTerminal)) return plain
  return screen.isDumb() ? dumb : line(screen, (yield* Paints).stderr)
})
