/** The command in this process: what it prints, and the exit code that it would end with. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
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

/** Runs `multifd` with arguments; stderr is a terminal or not. */
export const runWith = (
  options: Parameters<typeof Stderr.make>[0],
  ...args: ReadonlyArray<string>
): Effect.Effect<Ran> =>
  Effect.gen(function* () {
    const progress = Stderr.make(options)
    const exit = yield* Effect.exit(command(args)).pipe(Effect.provide(progress.layer))
    let code = -1
    Runtime.defaultTeardown(exit, (value) => void (code = value))
    return { code, stdout: progress.stdout(), stderr: progress.text() + lines(yield* TestConsole.errorLines) }
  }).pipe(Effect.provide([NodeServices.layer, Layer.fresh(TestConsole.layer)]))

/** Runs `multifd` with arguments. */
export const run = (...args: ReadonlyArray<string>): Effect.Effect<Ran> => runWith({ isTerminal: false }, ...args)

/** Somebody who waits for a sender. */
export interface Listening {
  /** Where, as it said in its first line. */
  readonly uri: string
  /** Waits for the end. */
  readonly ran: Effect.Effect<Ran>
}

const firstEvent = /^(\{.*\})\n/

/** Runs `multifd receive` until it listens; it goes on in the scope. */
export const listen = (...args: ReadonlyArray<string>): Effect.Effect<Listening, never, Scope.Scope> =>
  Effect.gen(function* () {
    const listening = yield* Deferred.make<string>()
    const onText = (text: string): void => {
      const line = firstEvent.exec(text)?.[1]
      const { event, uri } = line === undefined ? {} : JSON.parse(line)
      if (event === "listening") Deferred.doneUnsafe(listening, Effect.succeed(uri))
    }
    const options = { isTerminal: false, onText }
    const fiber = yield* Effect.forkScoped(runWith(options, "receive", ...args, "--progress", "json"))
    const ended = Effect.flatMap(Fiber.join(fiber), ({ stderr }) => Effect.die(`it does not listen: ${stderr}`))
    return { uri: yield* Effect.raceFirst(Deferred.await(listening), ended), ran: Fiber.join(fiber) }
  })
