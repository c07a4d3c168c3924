/**
 * The command, run from its sources in a process of its own.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as ChildProcess from "node:child_process"
import * as Path from "node:path"
import * as Readline from "node:readline"

const BIN = Path.resolve(import.meta.dirname, "../../../src/bin.ts")

/** How a command ended. */
export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const start = (args: ReadonlyArray<string>, ended: (ran: Ran) => void): ChildProcess.ChildProcess => {
  const child = ChildProcess.execFile(process.execPath, [BIN, ...args], (_error, stdout, stderr) =>
    ended({ code: child.exitCode, stdout, stderr })
  )
  return child
}

/** Runs `multifd` with arguments, and kills it when interrupted. */
export const run = (...args: ReadonlyArray<string>): Effect.Effect<Ran> =>
  Effect.callback<Ran>((resume) => {
    const child = start(args, (ran) => resume(Effect.succeed(ran)))
    return Effect.sync(() => void child.kill())
  })

/** A command that waits for a sender. */
export interface Listening {
  /** Where, as it says in its first line. */
  readonly uri: string
  /** Waits for the end. */
  readonly ran: Effect.Effect<Ran>
}

/** Starts `multifd receive` and waits until it says where it listens; it is killed when the scope closes. */
export const listen = (...args: ReadonlyArray<string>): Effect.Effect<Listening, never, Scope.Scope> =>
  Effect.gen(function* () {
    const ended = yield* Deferred.make<Ran>()
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        start(["receive", ...args, "--progress", "json"], (ran) => Deferred.doneUnsafe(ended, Effect.succeed(ran)))
      ),
      (child) => Effect.sync(() => void child.kill())
    )
    const ran = Deferred.await(ended)
    const line = Effect.callback<string>((resume) => {
      Readline.createInterface({ input: child.stderr! }).once("line", (text) => resume(Effect.succeed(text)))
    })
    const early = Effect.flatMap(ran, ({ stderr }) => Effect.die(`it does not listen: ${stderr}`))
    const { event, uri } = JSON.parse(yield* Effect.raceFirst(line, early))
    return event === "listening" ? { uri, ran } : yield* Effect.die(`its first line says ${event}`)
  })
