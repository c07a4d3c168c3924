import type { PageLedger } from "../PageLedger.ts"

/** A sequence of units of one block. */
export interface Chunk {
  readonly idstr: string
  readonly unit: number
  readonly units: number
}

/** Small, so that a request never waits long. */
const CHUNK_PAGES = 32

/**
 * The order of unrequested pages: given places first, then block by block. After a request it continues from there,
 * because a guest usually touches the next pages as well.
 *
 * @internal
 */
export interface Background {
  /** The next present and unsent units; `undefined`: there are none. */
  readonly next: () => Chunk | undefined
  /** Continues after a unit. */
  readonly jumpTo: (idstr: string, unit: number) => void
}

/**
 * @internal
 */
export const make = (
  ledger: PageLedger,
  order: ReadonlyArray<{ readonly idstr: string; readonly unit: number }>
): Background => {
  const names = [...ledger.entries.keys()]
  let [block, unit, ordered] = [0, 0, 0]

  const firstOrdered = (): Chunk | undefined => {
    for (; ordered < order.length; ordered++) {
      const place = order[ordered]
      if (place === undefined) return undefined
      const entry = ledger.entries.get(place.idstr)
      if (entry === undefined || place.unit >= entry.units) continue
      if (entry.present.has(place.unit) && !entry.sent.has(place.unit)) return { ...place, units: 1 }
    }
    return undefined
  }
  const scan = (): { readonly idstr: string; readonly unit: number } | undefined => {
    // All blocks once, then the block in which it began again, from its start.
    for (let tried = 0; tried <= names.length; tried++) {
      const idstr = names[block]
      if (idstr === undefined) return undefined
      const found = ledger.nextMissing(idstr, unit)
      if (found !== undefined) return { idstr, unit: found }
      block = (block + 1) % names.length
      unit = 0
    }
    return undefined
  }
  return {
    next: () => {
      const place = firstOrdered()
      if (place !== undefined) return place
      const found = names.length === 0 ? undefined : scan()
      if (found === undefined) return undefined
      const { pagesPerUnit, present, sent, units } = ledger.entry(found.idstr)
      const most = Math.min(units, found.unit + Math.max(1, Math.floor(CHUNK_PAGES / pagesPerUnit)))
      const end = sent.nextSet(found.unit, present.nextClear(found.unit, most))
      unit = end
      return { ...found, units: end - found.unit }
    },
    jumpTo: (idstr, at) => {
      block = Math.max(0, names.indexOf(idstr))
      unit = at + 1
    }
  }
}
