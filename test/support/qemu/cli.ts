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

/** A command that runs. */
export interface Running {
  readonly kill: (signal: NodeJS.Signals) => void
  /** Waits for the end. */
  readonly ran: Effect.Effect<Ran>
}

/** Starts `multifd` with arguments, and calls `on` with each line of stderr; it is killed when the scope closes. */
export const start = (
  args: ReadonlyArray<string>,
  on: (line: string, command: Running) => void = () => {}
): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.gen(function* () {
    const ended = yield* Deferred.make<Ran>()
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const child = ChildProcess.execFile(process.execPath, [BIN, ...args], (_error, stdout, stderr) =>
          Deferred.doneUnsafe(ended, Effect.succeed({ code: child.exitCode, stdout, stderr }))
        )
        return child
      }),
      (child) => Effect.sync(() => void child.kill())
    )
    const running: Running = { kill: (signal) => void child.kill(signal), ran: Deferred.await(ended) }
    Readline.createInterface({ input: child.stderr! }).on("line", (line) => on(line, running))
    return running
  })

/** Runs `multifd` with arguments, and kills it when interrupted. */
export const run = (...args: ReadonlyArray<string>): Effect.Effect<Ran> =>
  Effect.scoped(Effect.flatMap(start(args), ({ ran }) => ran))

/** The lines of `--progress json`. */
export const events = ({ stderr }: Ran): ReadonlyArray<Readonly<Record<string, unknown>>> =>
  stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))

/**
 * Runs a command that takes long, and does something once pages move. Once, because a second signal would end it without any
 * tidying up. `seconds` are those from then to the end.
 */
export const whenPagesMove = (args: ReadonlyArray<string>, act: (command: Running) => void) =>
  Effect.gen(function* () {
    let acted = 0
    const { ran } = yield* start([...args, "--progress", "json"], (line, command) => {
      if (acted > 0 || !/"pages":[1-9]/.test(line)) return
      acted = performance.now()
      act(command)
    })
    return { ...(yield* ran), seconds: (performance.now() - acted) / 1000 }
  }).pipe(Effect.scoped)

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
    const first = yield* Deferred.make<string>()
    const { ran } = yield* start(["receive", ...args, "--progress", "json"], (line) =>
      Deferred.doneUnsafe(first, Effect.succeed(line))
    )
    const early = Effect.flatMap(ran, ({ stderr }) => Effect.die(`it does not listen: ${stderr}`))
    const { event, uri } = JSON.parse(yield* Effect.raceFirst(Deferred.await(first), early))
    return event === "listening" ? { uri, ran } : yield* Effect.die(`its first line says ${event}`)
  })
