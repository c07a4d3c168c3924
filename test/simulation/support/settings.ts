/**
 * How much is simulated, taken from the environment; what is not set is what CI does. `npm run soak` sets the large numbers
 * (test/soak/vitest.config.ts).
 *
 *     SIMULATION_SEEDS=500   seeds that are played, from SIMULATION_FIRST=0 on
 *     SIMULATION_SEED=n      plays this one only, as a failure says
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"

/** The settings. */
export const settings = Effect.runSync(
  Config.all({
    seeds: Config.withDefault(Config.Int("SIMULATION_SEEDS"), 500),
    first: Config.withDefault(Config.Int("SIMULATION_FIRST"), 0),
    seed: Config.option(Config.Int("SIMULATION_SEED"))
  })
)
