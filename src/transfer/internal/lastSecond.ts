/** The amounts of the last second, for callers that must keep every second within a limit. */

const SECOND = 1000

/** Milliseconds whose amounts share one entry: at most 200 entries, for any number of amounts. */
const ENTRY = 5

/** Tolerance of sums of amounts; less than a byte at any limit. */
const ROUNDING = 1e-9

/** Amounts between `first` and `last`. */
interface Entry {
  readonly first: number
  last: number
  amount: number
}

/**
 * Times are in milliseconds and never go back; amounts are milliseconds' worth.
 *
 * @internal
 */
export interface LastSecond {
  /** Records an amount that passes now. */
  readonly add: (now: number, amount: number) => void
  /** Milliseconds until `amount` may pass; 0: now. */
  readonly wait: (now: number, amount: number) => number
  readonly clear: () => void
}

/**
 * A second without any amount.
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
