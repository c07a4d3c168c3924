/**
 * What has passed in the last second, for whoever must not let more than a second's worth pass in any of them.
 */

const SECOND = 1000

/** So many milliseconds of neighbouring amounts are one entry: at most 200 of them, whatever their number. */
const ENTRY = 5

/** What sums of amounts may be off by; less than a byte of any limit. */
const ROUNDING = 1e-9

/** Amounts that passed from `first` on, and up to `last`. */
interface Entry {
  readonly first: number
  last: number
  amount: number
}

/**
 * Times are milliseconds and never go back; amounts are milliseconds' worth.
 *
 * @internal
 */
export interface LastSecond {
  /** So much passes now. */
  readonly add: (now: number, amount: number) => void
  /** How long until `amount` may pass; 0: it may now. */
  readonly wait: (now: number, amount: number) => number
  readonly clear: () => void
}

/**
 * A second in which nothing has passed.
 *
 * @internal
 */
export const make = (): LastSecond => {
  let entries: Array<Entry> = []
  let sum = 0

  const forget = (now: number): void => {
    const gone = entries.findIndex(({ last }) => now - last <= SECOND)
    for (const { amount } of entries.splice(0, gone === -1 ? entries.length : gone)) sum -= amount
    if (entries.length === 0) sum = 0
  }
  return {
    add: (now, amount) => {
      const latest = entries.at(-1)
      sum += amount
      if (latest === undefined || now - latest.first >= ENTRY) entries.push({ first: now, last: now, amount })
      else Object.assign(latest, { last: now, amount: latest.amount + amount })
    },
    wait: (now, amount) => {
      forget(now)
      let excess = sum + amount - SECOND - ROUNDING
      let wait = 0
      for (const entry of entries) {
        if (excess <= 0) break
        excess -= entry.amount
        // Both ends of a second belong to it.
        wait = Math.floor(entry.last + SECOND - now) + 1
      }
      return wait
    },
    clear: () => {
      entries = []
      sum = 0
    }
  }
}
