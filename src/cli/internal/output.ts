import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { format } from "node:util"
import * as FileError from "../../io/files/FileError.ts"

const call = { operation: "write", path: "standard output" } as const

/** The error of the system call, which the streams between it and us have wrapped. */
const innermost = (error: unknown): unknown =>
  error instanceof Error && error.cause instanceof Error ? innermost(error.cause) : error

/** A reader that has seen enough and went away, as `head` does, is no failure. */
const isGone = (error: FileError.FileError): boolean => error.code === "EPIPE"

const write = (text: string): Effect.Effect<void, FileError.FileError, Stdio.Stdio> =>
  Effect.flatMap(Stdio.Stdio, (stdio) =>
    // Only the end of the stream tells that all of it was written.
    Stream.run(Stream.succeed(text), stdio.stdout({ endOnDone: true }))
  ).pipe(
    Effect.mapError((error) => FileError.fromCause(call, innermost(error))),
    Effect.catchIf(isGone, () => Effect.void)
  )

/**
 * Runs a command and writes what it prints with `Console.log` to stdout when it ends. What cannot be written fails it, unless
 * it has failed already: a result that was asked for and is not there is no success. Node's own console says nothing of it.
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
