/** Everything that one seed decides, from the shape of the machine to what is done with the image in the end. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as References from "effect/References"
import * as MemoryDisk from "../../../src/testing/MemoryDisk.ts"
import * as Simulation from "../../../src/testing/Simulation.ts"
import * as Aftermath from "./aftermath.ts"
import * as Chance from "./chance.ts"
import * as Checks from "./checks.ts"
import * as Migration from "./migration.ts"
import * as Scenario from "./scenario.ts"

/** A migration that has failed is tried again, once in so many times. */
const RETRIES = 3

/** The second attempt, with nothing in the way: on the disk as it is, or as the power cut has left it. */
const retry = Effect.fnUntraced(function* (places: Migration.Places, { afterCrash }: Migration.Result) {
  const senderDisk = MemoryDisk.make({ later: places.world.later })
  const receiverDisk = afterCrash ?? places.receiverDisk
  // What lies about after a power cut is nobody's business; a receiver that fails leaves nothing.
  const known = new Set([...receiverDisk.files(), Migration.TARGET])
  const scenario = { ...places.scenario, target: "any", noise: 0, trouble: Scenario.Trouble.None() } as const
  const again = { ...places, scenario, senderDisk, receiverDisk, known }
  yield* Checks.check(again, yield* Migration.run(again))
})

/** One migration, what can be done with what came of it, and another one where nothing did. */
const migrate = Effect.fnUntraced(function* (places: Migration.Places) {
  const { chance, receiverDisk, scenario } = places
  if (scenario.target !== "absent") receiverDisk.write(Migration.TARGET, Migration.OLD)
  const result = yield* Migration.run(places)
  const ends = yield* Checks.check(places, result)
  const isSound = ends.found === "complete" && !Checks.isCorrupting(scenario)
  if (isSound && Exit.isSuccess(result.received)) yield* Aftermath.run(places, result.expected())
  if (Exit.isFailure(result.received) && chance.oneIn(RETRIES)) yield* retry(places, result)
  return { trouble: scenario.trouble._tag, ...ends }
}, Effect.scoped)

const program = (world: Simulation.World) =>
  Effect.gen(function* () {
    const chance = Chance.from(world.random)
    const scenario = yield* Scenario.draw(chance)
    const disk = () => MemoryDisk.make({ seed: chance.between(0, 0xffff), later: world.later })
    const known = new Set([Migration.TARGET])
    const places = { world, chance, scenario, known, senderDisk: disk(), receiverDisk: disk() }
    return yield* Effect.catchDefect(migrate(places), (cause) =>
      Effect.die(new Error(JSON.stringify(scenario), { cause }))
    )
  })

/** Far more than any seed takes: what goes on longer hangs. */
const LIMITS = { maxDuration: "10 minutes", maxEvents: 1_000_000 } as const

/** Plays what a seed stands for. */
export const play = (seed: number) =>
  Effect.provideService(Simulation.run(program, { ...LIMITS, seed }), References.MinimumLogLevel, "None")
