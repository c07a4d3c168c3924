/**
 * The pages of a postcopy migration: those present in the source, and those already sent.
 *
 * ```text
 *   unit       one host page of the destination: 1 target page, or 512 of them with huge pages of 2 MiB
 *   present    units that have at least one present page: they must all be sent before the end
 *   sent       set by `claim`, in one place, whichever channel the unit goes over
 * ```
 *
 * A destination does not notice a page that was never sent, and fails at one that arrives twice. These bits are the
 * only record.
 *
 * @since 0.1.0
 */
import type { PageBitmap } from "../ram/PageBitmap.ts"
import * as Bitmap from "../ram/PageBitmap.ts"
import * as Invariant from "../ram/Invariant.ts"
import * as RamBlock from "../ram/RamBlock.ts"

/**
 * A block, with the pages that are not zero and the size of the destination's pages.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface LedgerBlock extends RamBlock.Shape {
  readonly present: PageBitmap
  /** Bytes: a multiple of `pageSize`. */
  readonly hostPageSize: number
}

/**
 * The units of one block.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  readonly block: LedgerBlock
  /** Pages in a unit. */
  readonly pagesPerUnit: number
  readonly units: number
  readonly present: PageBitmap
  readonly sent: PageBitmap
}

/**
 * All units of a machine.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface PageLedger {
  readonly entries: ReadonlyMap<string, Entry>
  /** The entry of one of the machine's blocks. */
  readonly entry: (idstr: string) => Entry
  /** Marks a unit as sent. `false` if it already was: then it must not be sent. */
  readonly claim: (idstr: string, unit: number) => boolean
  readonly isSent: (idstr: string, unit: number) => boolean
  /** The first present and unsent unit from `from`; `undefined`: none up to the end of the block. */
  readonly nextMissing: (idstr: string, from: number) => number | undefined
  /** Present and unsent units. */
  readonly missing: () => number
  /** Bytes of their pages. */
  readonly missingBytes: () => number
  /** Replaces the record of sent pages by the destination's bitmap, page by page. */
  readonly replace: (received: ReadonlyMap<string, PageBitmap>) => void
}

const unitsOf = (present: PageBitmap, pagesPerUnit: number): PageBitmap => {
  if (pagesPerUnit === 1) return Bitmap.fromBytes(present.bytes, present.pages)
  const units = Bitmap.make(Math.ceil(present.pages / pagesPerUnit))
  for (let page = present.nextSet(0); page < present.pages;) {
    const unit = Math.floor(page / pagesPerUnit)
    units.setRange(unit, 1)
    page = present.nextSet(Math.min((unit + 1) * pagesPerUnit, present.pages))
  }
  return units
}

const entryOf = (block: LedgerBlock): Entry => {
  const pagesPerUnit = block.hostPageSize / block.pageSize
  const units = Math.ceil(RamBlock.pageCount(block) / pagesPerUnit)
  return { block, pagesPerUnit, units, present: unitsOf(block.present, pagesPerUnit), sent: Bitmap.make(units) }
}

/** A destination has all target pages of a host page or none. */
const receivedUnits = (entry: Entry, received: PageBitmap | undefined): PageBitmap => {
  const units = Bitmap.make(entry.units)
  if (received === undefined) return units
  for (let page = received.nextSet(0); page < received.pages;) {
    const unit = Math.floor(page / entry.pagesPerUnit)
    units.setRange(unit, 1)
    page = received.nextSet(Math.min((unit + 1) * entry.pagesPerUnit, received.pages))
  }
  return units
}

const missingIn = ({ present, sent, units }: Entry): number => {
  let count = 0
  for (let from = present.nextSet(0); from < units;) {
    const to = present.nextClear(from)
    for (let at = sent.nextClear(from, to); at < to;) {
      const end = sent.nextSet(at, to)
      count += end - at
      at = sent.nextClear(end, to)
    }
    from = present.nextSet(to)
  }
  return count
}

/**
 * A ledger without any sent page.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const make = (blocks: ReadonlyArray<LedgerBlock>): PageLedger => {
  const entries = new Map(blocks.map((block) => [block.idstr, entryOf(block)]))
  const list = [...entries.values()]
  const count = () => new Map(list.map((entry) => [entry, missingIn(entry)]))
  let missing = count()
  const entry = (idstr: string): Entry => Invariant.defined(entries.get(idstr), "the ledger has every block")
  const missingOf = (own: Entry): number => missing.get(own) ?? 0
  return {
    entries,
    entry,
    claim: (idstr, unit) => {
      const own = entry(idstr)
      if (own.sent.has(unit)) return false
      own.sent.setRange(unit, 1)
      if (own.present.has(unit)) missing.set(own, missingOf(own) - 1)
      return true
    },
    isSent: (idstr, unit) => entry(idstr).sent.has(unit),
    nextMissing: (idstr, from) => {
      const { present, sent, units } = entry(idstr)
      for (let at = present.nextSet(Math.min(from, units)); at < units; at = present.nextSet(at)) {
        const end = present.nextClear(at)
        const free = sent.nextClear(at, end)
        if (free < end) return free
        at = end
      }
      return undefined
    },
    missing: () => list.reduce((sum, own) => sum + missingOf(own), 0),
    missingBytes: () => list.reduce((sum, own) => sum + missingOf(own) * own.block.hostPageSize, 0),
    replace: (received) => {
      for (const own of list) own.sent.bytes.set(receivedUnits(own, received.get(own.block.idstr)).bytes)
      missing = count()
    }
  }
}
