/**
 * What the demonstration prints.
 */
import { type Migration, Progress } from "effect-multifd"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"

export const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 2 : 0)} MiB`

/** A line of the story. */
export const step = (what: string, text: string): Effect.Effect<void> => Console.log(`${what.padEnd(9)} ${text}`)

const bar = (now: Progress.Snapshot): string => {
  const share = now.bytesTotal === 0 ? 0 : now.bytesDone / now.bytesTotal
  const drawn = "█".repeat(Math.round(share * 30)).padEnd(30, "·")
  const pages = `${now.normalPages} pages, ${now.zeroPages} zero`
  return `${drawn} ${String(Math.round(share * 100)).padStart(3)} %  ${pages}, ${mebibytes(now.bytesPerSecond)}/s`
}

/** A terminal shows one line that moves; a log gets a line each time. */
const draw = (now: Progress.Snapshot): Effect.Effect<void> =>
  process.stdout.isTTY
    ? Effect.sync(() => void process.stdout.write(`\r          ${bar(now)}\u001b[K`))
    : Console.log(`          ${bar(now)}`)

/** Runs an operation and shows how it goes, then what it did. */
export const watched = <E, R>(
  what: string,
  title: string,
  operation: (progress: Progress.Progress) => Effect.Effect<Migration.Summary, E, R>
): Effect.Effect<Migration.Summary, E, R> =>
  Effect.gen(function* () {
    yield* step(what, title)
    const progress = yield* Progress.make
    const interval = process.stdout.isTTY ? "50 millis" : "250 millis"
    const drawing = yield* Effect.forkChild(Stream.runForEach(progress.changes(interval), draw))
    const summary = yield* operation(progress)
    yield* Fiber.join(drawing)
    if (process.stdout.isTTY) yield* Console.log()
    const { device, ram, setup, sync } = summary.phaseMillis
    const seconds = (setup + ram + device + sync) / 1000
    const rate = mebibytes(summary.bytesTotal / seconds)
    const size = `${mebibytes(summary.bytesTotal)} in ${seconds.toFixed(2)} s (${rate}/s)`
    yield* step("", `${size}, ${mebibytes(summary.bytesTransferred)} through the channels`)
    return summary
  })
