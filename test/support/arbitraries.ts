/** Numbers and flags for properties, and how a block may go through file channels. */
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import * as RamArbitraries from "../../src/testing/RamArbitraries.ts"

/** Whole numbers, both ends included. */
export const between = (minimum: number, maximum: number): Arbitrary.Arbitrary<number> =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

export const boolean: Arbitrary.Arbitrary<boolean> = Arbitrary.schema(Schema.Boolean)

/** The block, and what both directions can be told. */
export const transfer = {
  block: RamArbitraries.block({ pageSize: Arbitrary.schema(Schema.Literals([4096, 16384])), maxPages: 100 }),
  directIo: boolean,
  batchPages: between(1, 40),
  coalescePages: between(0, 9),
  channels: between(1, 8),
  seed: between(1, 1000)
}
