import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Convergence from "../../../src/migration/internal/convergence.ts"
import type * as Live from "../../../src/snapshot/Live.ts"
import * as DirtyTracker from "../../../src/ram/DirtyTracker.ts"

const MIB = 2 ** 20

const live = (options: Partial<Live.Options> = {}): Live.Options => ({
  tracker: DirtyTracker.comparing("copy"),
  pause: Effect.void,
  ...options
})

const settings = (options: Partial<Live.Options> = {}) => Convergence.settings(live(options))

const throttle = (options: Partial<Live.Throttle> = {}): Live.Throttle => ({ set: () => Effect.void, ...options })

const round = (part: Partial<Convergence.Round>): Convergence.Round => ({
  millis: 1000,
  movedBytes: 100 * MIB,
  dirtyBytes: 0,
  lookMillis: 0,
  ...part
})

describe("settings", () => {
  it("are QEMU's defaults", () => {
    assert.deepStrictEqual(settings(), {
      downtimeLimit: 300,
      maxRounds: 30,
      throttle: { trigger: 50, initial: 20, increment: 10, maximum: 99 }
    })
    assert.deepStrictEqual(Convergence.problems(live()), [])
  })

  it("at the ends of their ranges are accepted", () => {
    const least = {
      downtimeLimit: 0,
      maxRounds: 1,
      throttle: throttle({ trigger: 1, initial: 1, increment: 1, maximum: 1 })
    }
    const most = {
      downtimeLimit: 2_000_000,
      throttle: throttle({ trigger: 100, initial: 99, increment: 99, maximum: 99 })
    }
    assert.deepStrictEqual(
      [least, most].flatMap((options) => Convergence.problems(live(options))),
      []
    )
  })

  it("outside of them are all listed", () => {
    const options = {
      downtimeLimit: 2_000_001,
      maxRounds: 0,
      throttle: throttle({ trigger: 101, initial: 30, increment: 1.5, maximum: 29 })
    }
    assert.deepStrictEqual(
      Convergence.problems(live(options)).map(({ reason, remedy }) => `${reason}; ${remedy}`),
      [
        "downtimeLimit is 2000001; use a whole number of milliseconds from 0 to 2000000",
        "maxRounds is 0; use a whole number from 1 to 2^53 - 1",
        "throttle.trigger is 101; use a whole number of percent from 1 to 100",
        "throttle.increment is 1.5; use a whole number of percent from 1 to 99",
        "throttle.maximum is 29; use at least throttle.initial, which is 30"
      ]
    )
    assert.deepStrictEqual(
      Convergence.problems(live({ throttle: throttle({ maximum: 10 }) })).map(({ option }) => option),
      ["throttle.maximum"]
    )
    assert.lengthOf(Convergence.problems(live({ downtimeLimit: Number.NaN, throttle: throttle({ initial: 0 }) })), 2)
    assert.lengthOf(Convergence.problems(live({ downtimeLimit: -1, maxRounds: 2.5 })), 2)
  })
})

describe("the outlook", () => {
  it("converges when the rest can be moved in the time that the writer may stand still", () => {
    const foresee = Convergence.make(settings({ downtimeLimit: 300 }))
    assert.deepInclude(foresee(round({ dirtyBytes: 31 * MIB })), { expectedDowntimeMillis: 310, converged: false })
    assert.deepInclude(foresee(round({ dirtyBytes: 30 * MIB })), { expectedDowntimeMillis: 300, converged: true })
  })

  it("counts in the look that has to be repeated", () => {
    const foresee = Convergence.make(settings({ downtimeLimit: 300 }))
    const slow = { dirtyBytes: 20 * MIB, lookMillis: 101 }
    assert.deepInclude(foresee(round(slow)), { expectedDowntimeMillis: 301, converged: false })
    assert.isTrue(foresee(round({ ...slow, lookMillis: 100 })).converged)
  })

  it("has converged when nothing is dirty, however long the look takes", () => {
    const foresee = Convergence.make(settings({ downtimeLimit: 0 }))
    assert.deepInclude(foresee(round({ movedBytes: 0, lookMillis: 9 })), { expectedDowntimeMillis: 9, converged: true })
  })

  it("knows nothing before anything was moved", () => {
    const foresee = Convergence.make(settings({ downtimeLimit: 2_000_000 }))
    const first = foresee(round({ movedBytes: 0, dirtyBytes: 1 }))
    assert.deepInclude(first, { expectedDowntimeMillis: undefined, converged: false })
  })

  it("goes by the last rounds that took 100 ms together", () => {
    const foresee = Convergence.make(settings())
    foresee(round({ millis: 1000, movedBytes: 1000 * MIB }))
    const shortly = foresee(round({ millis: 60, movedBytes: 6 * MIB, dirtyBytes: MIB }))
    assert.strictEqual(shortly.expectedDowntimeMillis, 10)
    const together = foresee(round({ millis: 60, movedBytes: 18 * MIB, dirtyBytes: MIB }))
    assert.strictEqual(together.expectedDowntimeMillis, 5)
    const anew = foresee(round({ millis: 10, movedBytes: 10 * MIB, dirtyBytes: MIB }))
    assert.strictEqual(anew.expectedDowntimeMillis, 1)
  })

  it("keeps the rate over rounds of zero pages", () => {
    const foresee = Convergence.make(settings())
    foresee(round({}))
    const zeros = foresee(round({ movedBytes: 0, dirtyBytes: 50 * MIB }))
    assert.strictEqual(zeros.expectedDowntimeMillis, 500)
  })
})

describe("the throttle", () => {
  const percentages = (options: Partial<Live.Throttle>, dirtyMib: ReadonlyArray<number>) => {
    const foresee = Convergence.make(settings({ throttle: throttle(options) }))
    return dirtyMib.map((mib) => foresee(round({ dirtyBytes: mib * MIB })).throttlePercentage)
  }

  it("begins at the second round that wrote too much, and goes on at every other", () => {
    assert.deepStrictEqual(percentages({}, [51, 51, 51, 51, 50, 51, 51]), [0, 20, 20, 30, 30, 30, 40])
  })

  it("stops at the maximum", () => {
    const options = { initial: 40, increment: 35, maximum: 90 }
    assert.deepStrictEqual(percentages(options, [99, 99, 99, 99, 99, 99, 99, 99]), [0, 40, 40, 75, 75, 90, 90, 90])
  })

  it("looks at what was moved meanwhile", () => {
    assert.deepStrictEqual(percentages({ trigger: 80 }, [80, 80, 81, 81]), [0, 0, 0, 20])
  })
})
