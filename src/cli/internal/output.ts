import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Sink from "effect/Sink"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { format } from "node:util"
import * as FileError from "../../io/files/FileError.ts"

const call = { operation: "write", path: "standard output" } as const

/** The error of the system call, without the wrappers of the streams. */
const innermost = (error: unknown): unknown =>
  error instanceof Error && error.cause instanceof Error ? innermost(error.cause) : error

/** A reader that closes its end early, as `head` does, is not a failure. */
const isGone = (error: unknown): boolean => Predicate.hasProperty(error, "code") && error.code === "EPIPE"

/**
 * Writes a stream to stdout, as the only output of a command. The bytes reach stdout as they come.
 *
 * @internal
 */
export const writeAll = <E, R>(
  parts: Stream.Stream<string | Uint8Array, E, R>
): Effect.Effect<void, E | FileError.FileError, R | Stdio.Stdio> =>
  Effect.flatMap(Stdio.Stdio, (stdio) => {
    const sink = stdio.stdout({ endOnDone: true })
    // Only the end of the stream shows that everything was written.
    return Stream.run(
      parts,
      Sink.mapError(sink, (error) => FileError.fromCause(call, innermost(error)))
    )
  }).pipe(Effect.catchIf(isGone, () => Effect.void))

const write = (text: string): Effect.Effect<void, FileError.FileError, Stdio.Stdio> => writeAll(Stream.succeed(text))

/**
 * Runs a command and writes its `Console.log` output to stdout when it ends. If the output cannot be written, the
 * command fails, unless it has already failed: a missing result is not a success. Node's own console does not report
 * that.
 *
 * @internal
 */
export const written = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E | FileError.FileError, R | Stdio.Stdio> =>
  Effect.suspend(() => {
    let text = ""
    const log = (...parts: ReadonlyArray<unknown>): void => {
      text += `${format(...parts)}\n`
    }
    const flush = Effect.suspend(() => (text === "" ? Effect.void : write(text)))
    return Console.consoleWith((console) => {
      const printing: Console.Console = Object.create(console, { log: { value: log } })
      return Effect.provideService(self, Console.Console, printing)
    }).pipe(Effect.onExit(({ _tag }) => (_tag === "Success" ? flush : Effect.ignore(flush))))
  })
