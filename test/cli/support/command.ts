/** The command in this process: what it prints, and the exit code that it would end with. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as TestConsole from "effect/testing/TestConsole"
import * as Multifd from "../../../src/cli/Multifd.ts"
import * as Stderr from "./stderr.ts"

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const command = Multifd.run({ version: "1.2.3" })

const lines = (parts: ReadonlyArray<unknown>): string => parts.map((part) => `${String(part)}\n`).join("")

/** Runs `multifd` with arguments; stderr is no terminal unless said otherwise. */
export const runWith = (
  options: { readonly isTerminal: boolean },
  ...args: ReadonlyArray<string>
): Effect.Effect<Ran> =>
  Effect.gen(function* () {
    const progress = Stderr.make(options)
    const exit = yield* Effect.exit(command(args)).pipe(Effect.provide(progress.layer))
    let code = -1
    Runtime.defaultTeardown(exit, (value) => void (code = value))
    const stdout = lines(yield* TestConsole.logLines)
    return { code, stdout, stderr: progress.text() + lines(yield* TestConsole.errorLines) }
  }).pipe(Effect.provide([NodeServices.layer, Layer.fresh(TestConsole.layer)]))

/** Runs `multifd` with arguments. */
export const run = (...args: ReadonlyArray<string>): Effect.Effect<Ran> => runWith({ isTerminal: false }, ...args)
