import { assert, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as PipelineOptions from "../../src/transfer/PipelineOptions.ts"

const names = ["channels", "queueDepth", "batchSize", "coalescePages"] as const

it.effect("fills in the documented defaults", () =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* PipelineOptions.make({}), {
      channels: 3,
      queueDepth: 8,
      batchSize: 1048576,
      coalescePages: PipelineOptions.limits.coalescePages.default
    })
  })
)

it.effect("takes both ends of every range", () =>
  Effect.gen(function* () {
    for (const end of ["minimum", "maximum"] as const) {
      const input = {
        channels: PipelineOptions.limits.channels[end],
        queueDepth: PipelineOptions.limits.queueDepth[end],
        batchSize: PipelineOptions.limits.batchSize[end],
        coalescePages: PipelineOptions.limits.coalescePages[end]
      }
      assert.deepStrictEqual(yield* PipelineOptions.make(input), input)
    }
  })
)

const wrong = Arbitrary.all({
  option: Arbitrary.schema(Schema.Literals(names)),
  found: Arbitrary.schema(Schema.Number)
})

it.effect.prop("refuses what is no whole number in its range, by name", { wrong }, ({ wrong: { option, found } }) =>
  Effect.gen(function* () {
    const { maximum, minimum } = PipelineOptions.limits[option]
    if (Number.isInteger(found) && found >= minimum && found <= maximum) return
    const error = yield* Effect.flip(PipelineOptions.make({ [option]: found }))
    const remedy = `use a whole number from ${minimum} to ${maximum}`
    assert.deepStrictEqual(error.problems, [{ option, reason: `${option} is ${found}`, remedy }])
    assert.strictEqual(error.message, `cannot start: ${option} is ${found}; ${remedy}`)
    assert.strictEqual(error[Runtime.errorExitCode], 2)
  })
)

it.effect("lists everything that is wrong", () =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(
      PipelineOptions.make({ channels: 256, queueDepth: 0, batchSize: 1.5, coalescePages: Number.NaN })
    )
    assert.deepStrictEqual(
      error.problems.map((problem) => problem.option),
      [...names]
    )
  })
)
