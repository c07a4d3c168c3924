import type * as Live from "../../snapshot/Live.ts"

/**
 * The options of a live migration that are numbers, checked and complete.
 *
 * @internal
 */
export interface Settings {
  readonly downtimeLimit: number
  readonly maxRounds: number
  readonly trigger: number
  readonly initial: number
  readonly increment: number
  readonly maximum: number
}

/** QEMU's largest `downtime-limit`. */
const MAX_DOWNTIME_MILLIS = 2_000_000

/**
 * Fills in what was left out.
 *
 * @internal
 */
export const settings = ({ downtimeLimit, maxRounds, throttle }: Live.Options<unknown>): Settings => ({
  downtimeLimit: downtimeLimit ?? 300,
  maxRounds: maxRounds ?? 30,
  trigger: throttle?.trigger ?? 50,
  initial: throttle?.initial ?? 20,
  increment: throttle?.increment ?? 10,
  maximum: throttle?.maximum ?? 99
})

const wholeNumber = (name: string, unit: string, value: number, from: number, to: number): ReadonlyArray<string> =>
  Number.isInteger(value) && value >= from && value <= to
    ? []
    : [`expected ${name} to be a whole number${unit} from ${from} to ${to}, found ${value}`]

/**
 * Everything that is wrong with settings, one sentence each.
 *
 * @internal
 */
export const problems = (settings: Settings): ReadonlyArray<string> => {
  const { downtimeLimit, increment, initial, maxRounds, maximum, trigger } = settings
  const percentage = (name: string, value: number, from: number, to: number) =>
    wholeNumber(`the throttle's ${name}`, " of percent", value, from, to)
  return [
    ...wholeNumber("downtimeLimit", " of milliseconds", downtimeLimit, 0, MAX_DOWNTIME_MILLIS),
    ...wholeNumber("maxRounds", "", maxRounds, 1, Number.MAX_SAFE_INTEGER),
    ...percentage("trigger", trigger, 1, 100),
    ...percentage("initial", initial, 1, 99),
    ...percentage("increment", increment, 1, 99),
    ...percentage("maximum", maximum, Math.min(initial, 99), 99)
  ]
}

/**
 * One round, and the look at the dirty pages behind it.
 *
 * @internal
 */
export interface Round {
  /** From the beginning of the round to its sync. */
  readonly millis: number
  /** Bytes of the pages that were moved as data. */
  readonly movedBytes: number
  /** What became dirty since the look before. */
  readonly dirtyBytes: number
  /** How long the look took: it has to be repeated when the writer has stopped. */
  readonly lookMillis: number
}

/**
 * What follows from the rounds so far.
 *
 * @internal
 */
export interface Outlook {
  readonly expectedDowntimeMillis: number | undefined
  /** Whether the rest can be moved in the time for which the writer may stand still. */
  readonly converged: boolean
  /** Percent that the writer should be slowed down by. */
  readonly throttlePercentage: number
}

/** Rounds are added up until they took this long: the rate of a shorter time says little. It is QEMU's window, too. */
const WINDOW_MILLIS = 100

/**
 * Watches rounds. A round without any data says nothing about the rate, since zero pages cost next to nothing.
 *
 * @internal
 */
export const make = (settings: Settings): ((round: Round) => Outlook) => {
  let window = { millis: 0, bytes: 0 }
  let bytesPerMilli: number | undefined
  let tooFast = 0
  let throttlePercentage = 0

  const measure = ({ millis, movedBytes }: Round): void => {
    window = { millis: window.millis + millis, bytes: window.bytes + movedBytes }
    if (window.bytes > 0) bytesPerMilli = window.bytes / window.millis
    if (window.millis >= WINDOW_MILLIS) window = { millis: 0, bytes: 0 }
  }
  const throttle = ({ dirtyBytes, movedBytes }: Round): void => {
    if (dirtyBytes * 100 <= movedBytes * settings.trigger) return
    tooFast += 1
    if (tooFast % 2 === 1) return
    throttlePercentage =
      throttlePercentage === 0 ? settings.initial : Math.min(throttlePercentage + settings.increment, settings.maximum)
  }
  return (round) => {
    measure(round)
    throttle(round)
    const { dirtyBytes, lookMillis } = round
    const moving = dirtyBytes === 0 ? 0 : bytesPerMilli === undefined ? undefined : dirtyBytes / bytesPerMilli
    const expectedDowntimeMillis = moving === undefined ? undefined : moving + lookMillis
    return {
      expectedDowntimeMillis,
      converged: dirtyBytes === 0 || (expectedDowntimeMillis ?? Infinity) <= settings.downtimeLimit,
      throttlePercentage
    }
  }
}
