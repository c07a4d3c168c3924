import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Options from "../../src/ram/Options.ts"

const schema = Schema.Struct({
  channels: Options.wholeNumber({ minimum: 1, maximum: 255 }).pipe(Options.withDefault(3)),
  timeout: Options.time.pipe(Options.withDefault("30 seconds")),
  rate: Schema.optional(Options.rate),
  key: Schema.optional(Options.where<Uint8Array>((key) => (key as Uint8Array).length > 15, "at least 16 bytes")),
  throttle: Schema.Struct({ initial: Options.positive.pipe(Options.withDefault(20)) }).pipe(Options.withDefault({}))
})
const decode = Options.decode(schema)
const texts = (input: unknown) =>
  Options.problems(schema)(input).map(({ option, reason, remedy }) => `${option}: ${reason}; ${remedy}`)

describe("Options", () => {
  it("defaults hold for what is absent or undefined, in nested options too", () => {
    const defaults = {
      channels: 3,
      timeout: Duration.seconds(30),
      throttle: { initial: 20 }
    }
    assert.deepStrictEqual(Result.getOrThrow(decode({})), defaults)
    assert.deepStrictEqual(Result.getOrThrow(decode({ channels: undefined, throttle: {} })), defaults)
  })

  it("times are taken in every form that Effect takes", () => {
    for (const timeout of ["2 minutes", 120_000, Duration.minutes(2)] as const) {
      assert.strictEqual(Duration.toSeconds(Result.getOrThrow(decode({ timeout })).timeout), 120)
    }
    assert.isFalse(Duration.isFinite(Result.getOrThrow(decode({ timeout: Duration.infinity })).timeout))
  })

  it("options of other parts of the program are left alone", () => {
    assert.deepStrictEqual(texts({ channels: 3, progress: "none", blocks: [] }), [])
  })

  it("everything that is wrong is listed once, by its path", () => {
    assert.deepStrictEqual(
      texts({ channels: 0.5, timeout: "never", rate: -1, key: new Uint8Array(3), throttle: { initial: 0 } }),
      [
        "channels: channels is 0.5; use a whole number from 1 to 255",
        'timeout: timeout is "never"; use a time longer than none',
        "rate: rate is -1; use 0 or more bytes a second",
        "key: key is 3 bytes long; use at least 16 bytes",
        "throttle.initial: throttle.initial is 0; use a whole number from 1 to 2^53 - 1"
      ]
    )
  })

  it("a value of another type is a problem, and no defect", () => {
    assert.deepStrictEqual(texts({ channels: "3", timeout: {}, throttle: { initial: null } }), [
      'channels: channels is "3"; use a number',
      "timeout: timeout is {}; use a time longer than none",
      "throttle.initial: throttle.initial is null; use a number"
    ])
  })
})
