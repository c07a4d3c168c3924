/**
 * How many faults the tests in this folder try, taken from the environment; what is not set is what CI does.
 * `npm run soak` sets the large numbers (test/soak/vitest.config.ts).
 *
 *     FAULTS_KILL_PAGES=48       pages of the machine whose saving process is killed: more pages, more places to die at
 *     FAULTS_KILL_ROUNDS=1       times that each place is tried
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"

const number = (name: string, fallback: number): Config.Config<number> =>
  Config.Int(name).pipe(Config.withDefault(fallback))

/** The settings. */
export const settings = Effect.runSync(
  Config.all({
    killPages: number("FAULTS_KILL_PAGES", 48),
    killRounds: number("FAULTS_KILL_ROUNDS", 1)
  })
)
