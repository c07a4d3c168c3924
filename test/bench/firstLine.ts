import * as Effect from "effect/Effect"
import * as Readline from "node:readline"

/** Waits until the benchmark says that the work may begin: a line on standard input. */
export const firstLine: Effect.Effect<string> = Effect.callback((resume) => {
  const input = Readline.createInterface({ input: process.stdin })
  input.once("line", (line) => {
    input.close()
    resume(Effect.succeed(line))
  })
})
