/**
 * The command, run from its sources in a process of its own.
 */
import * as Effect from "effect/Effect"
import * as ChildProcess from "node:child_process"
import * as Path from "node:path"

const BIN = Path.resolve(import.meta.dirname, "../../../src/bin.ts")

/** How a command ended. */
export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `multifd` with arguments, and kills it when interrupted. */
export const run = (...args: ReadonlyArray<string>): Effect.Effect<Ran> =>
  Effect.callback<Ran>((resume) => {
    const child = ChildProcess.execFile(process.execPath, [BIN, ...args], (_error, stdout, stderr) =>
      resume(Effect.succeed({ code: child.exitCode, stdout, stderr }))
    )
    return Effect.sync(() => void child.kill())
  })
