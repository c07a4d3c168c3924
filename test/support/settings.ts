/**
 * How many faults `test/faults` tries and how much `test/simulation` plays, taken from the environment; the defaults are those of CI.
 * `npm run soak` sets the large numbers (test/soak/vitest.config.ts).
 *
 *     FAULTS_KILL_PAGES=48       pages of the machine whose saving process is killed: more pages, more places to die at
 *     FAULTS_KILL_ROUNDS=1       times that each place is tried
 *     FAULTS_CALL_PAGES=12       pages of the machine at whose every call something fails
 *     FAULTS_SOCKET_CODES=1      errors, of four, that each call of a migration between two sides fails with
 *     FAULTS_MIGRATIONS=1000     migrations that fail, after which nothing may be held
 *     FAULTS_POWER_SEEDS=50      orders in which the calls of a save are done, of each of three kinds, at whose every call the power fails
 *     FAULTS_POWER_SUBSETS=200   subsets of the unsynced changes that survive, in each of them
 *     FAULTS_PARTIAL_SEEDS=1     orders in which the calls of a save are done that keeps what it has written
 *     FAULTS_DECODER_CASES=110000 inputs for all decoders together
 *     FAULTS_GUIDED_SECONDS=600  time for those that are guided by what runs (`npm run soak` only)
 *     FAULTS_GUIDED_SEED=1       where their random numbers begin
 *     SIMULATION_SEEDS=500       seeds that are played, from SIMULATION_FIRST=0 on
 *     SIMULATION_SEED=n          plays this one only, as a failure says
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"

const number = (name: string, fallback: number): Config.Config<number> =>
  Config.Int(name).pipe(Config.withDefault(fallback))

/** The settings of `test/faults`. */
export const settings = Effect.runSync(
  Config.all({
    killPages: number("FAULTS_KILL_PAGES", 48),
    killRounds: number("FAULTS_KILL_ROUNDS", 1),
    callPages: number("FAULTS_CALL_PAGES", 12),
    socketCodes: number("FAULTS_SOCKET_CODES", 1),
    failedMigrations: number("FAULTS_MIGRATIONS", 1000),
    partialSeeds: number("FAULTS_PARTIAL_SEEDS", 1),
    decoderCases: number("FAULTS_DECODER_CASES", 110_000),
    guidedSeconds: number("FAULTS_GUIDED_SECONDS", 600),
    guidedSeed: number("FAULTS_GUIDED_SEED", 1),
    powerSeeds: number("FAULTS_POWER_SEEDS", 50),
    powerSubsets: number("FAULTS_POWER_SUBSETS", 200)
  })
)

/** The settings of `test/simulation`. */
export const simulation = Effect.runSync(
  Config.all({
    seeds: number("SIMULATION_SEEDS", 500),
    first: number("SIMULATION_FIRST", 0),
    seed: Config.option(Config.Int("SIMULATION_SEED"))
  })
)
