import * as Effect from "effect/Effect"
import * as Readline from "node:readline"

/** What was only needed to get ready is given back now, and not in the middle of what is measured. */
const collectGarbage = Effect.sync(() => globalThis.gc?.())

const firstLine: Effect.Effect<string> = Effect.callback((resume) => {
  const input = Readline.createInterface({ input: process.stdin })
  input.once("line", (line) => {
    input.close()
    resume(Effect.succeed(line))
  })
})

/** Tells the benchmark that this process is ready, and waits until it says that the work may begin: its line. */
export const ready = (told: string): Effect.Effect<string> =>
  collectGarbage.pipe(Effect.andThen(Effect.sync(() => console.log(`ready ${told}`.trim()))), Effect.andThen(firstLine))
