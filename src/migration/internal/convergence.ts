import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Options from "../../ram/Options.ts"
import type * as Problem from "../../ram/Problem.ts"
import type * as Live from "../../snapshot/Live.ts"

/** QEMU's largest `downtime-limit`. */
const MAX_DOWNTIME_MILLIS = 2_000_000

const percentage = (maximum: number, initial: number) =>
  Options.wholeNumber({ minimum: 1, maximum }, " of percent").pipe(Options.withDefault(initial))

const FIRST = 20
const LAST = 99

const schema = Schema.Struct({
  downtimeLimit: Options.wholeNumber({ minimum: 0, maximum: MAX_DOWNTIME_MILLIS }, " of milliseconds").pipe(
    Options.withDefault(300)
  ),
  maxRounds: Options.positive.pipe(Options.withDefault(30)),
  throttle: Schema.Struct({
    trigger: percentage(100, 50),
    initial: percentage(LAST, FIRST),
    increment: percentage(LAST, 10),
    maximum: percentage(LAST, LAST)
  }).pipe(Options.withDefault({}))
})

/**
 * The numeric options of a live migration, validated and complete.
 *
 * @internal
 */
export type Settings = typeof schema.Type

const decode = Options.decode(schema)

/**
 * Fills in the defaults of options without {@link problems}.
 *
 * @internal
 */
export const settings = (live: Live.Options<unknown>): Settings => Result.getOrThrow(decode(live))

const maximumProblems = ({
  initial = FIRST,
  maximum = LAST
}: Partial<Live.Throttle> = {}): ReadonlyArray<Problem.Problem> =>
  maximum >= Math.min(initial, LAST) || maximum < 1
    ? []
    : [
        {
          option: "throttle.maximum",
          reason: `throttle.maximum is ${maximum}`,
          remedy: `use at least throttle.initial, which is ${initial}`
        }
      ]

const optionProblems = Options.problems(schema)

/**
 * All problems with the options of a live migration.
 *
 * @internal
 */
export const problems = (live: Live.Options<unknown> | undefined): ReadonlyArray<Problem.Problem> =>
  live === undefined ? [] : [...optionProblems(live), ...maximumProblems(live.throttle)]

/**
 * One round, and the dirty sync after it.
 *
 * @internal
 */
export interface Round {
  /** From the start of the round to its sync. */
  readonly millis: number
  /** Bytes of the pages that were moved as data. */
  readonly movedBytes: number
  /** Bytes that became dirty since the previous dirty sync. */
  readonly dirtyBytes: number
  /** Duration of the dirty sync, which must be repeated when the guest has stopped. */
  readonly lookMillis: number
}

/**
 * The conclusion from the rounds so far.
 *
 * @internal
 */
export interface Outlook {
  readonly expectedDowntimeMillis: number | undefined
  /** `true` if the rest can be moved within the downtime limit. */
  readonly converged: boolean
  /** Percentage by which the guest should be throttled. */
  readonly throttlePercentage: number
}

/**
 * Rounds are added up until they took this long: the rate of a shorter time is unreliable. It is also QEMU's window.
 */
const WINDOW_MILLIS = 100

/**
 * Watches rounds. A round without data gives no rate, because zero pages take almost no time.
 *
 * @internal
 */
export const make = ({ downtimeLimit, throttle }: Settings): ((round: Round) => Outlook) => {
  let window = { millis: 0, bytes: 0 }
  let bytesPerMilli: number | undefined
  let tooFast = 0
  let throttlePercentage = 0

  const measure = ({ millis, movedBytes }: Round): void => {
    window = { millis: window.millis + millis, bytes: window.bytes + movedBytes }
    if (window.bytes > 0) bytesPerMilli = window.bytes / window.millis
    if (window.millis >= WINDOW_MILLIS) window = { millis: 0, bytes: 0 }
  }
  const adjustThrottle = ({ dirtyBytes, movedBytes }: Round): void => {
    if (dirtyBytes * 100 <= movedBytes * throttle.trigger) return
    tooFast += 1
    if (tooFast % 2 === 1) return
    throttlePercentage =
      throttlePercentage === 0 ? throttle.initial : Math.min(throttlePercentage + throttle.increment, throttle.maximum)
  }
  return (round) => {
    measure(round)
    adjustThrottle(round)
    const { dirtyBytes, lookMillis } = round
    const moving = dirtyBytes === 0 ? 0 : bytesPerMilli === undefined ? undefined : dirtyBytes / bytesPerMilli
    const expectedDowntimeMillis = moving === undefined ? undefined : moving + lookMillis
    return {
      expectedDowntimeMillis,
      converged: dirtyBytes === 0 || (expectedDowntimeMillis ?? Infinity) <= downtimeLimit,
      throttlePercentage
    }
  }
}
