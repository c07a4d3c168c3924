import * as Effect from "effect/Effect"
import * as RamRecords from "../../format/stream/RamRecords.ts"
import type { Connection, TransferError } from "../../io/sockets/Connection.ts"
import * as ConnectionError from "../../io/sockets/ConnectionError.ts"
import * as SocketSections from "../../format/stream/SocketSections.ts"
import type * as RamBlock from "../../ram/RamBlock.ts"
import type { TransferCounters } from "../../transfer/TransferCounters.ts"
import type { Entry } from "../PageLedger.ts"
import type { Framing } from "./preamble.ts"

/** Whole units of a block, with their bytes. */
export interface Units {
  readonly entry: Entry
  readonly unit: number
  readonly bytes: Uint8Array
}

/**
 * A channel for pages. The records of a unit are written in one piece, all of its target pages in ascending order.
 *
 * @internal
 */
export interface PageOutlet {
  /** Writes units that were claimed. */
  readonly write: (units: ReadonlyArray<Units>) => Effect.Effect<void, TransferError>
}

type Encoder = ReturnType<typeof RamRecords.make>

/** Encodes present pages as data and all others as ZERO, in order. */
const partsOf = (encoder: Encoder, { bytes, entry, unit }: Units): ReadonlyArray<Uint8Array> => {
  const { block, pagesPerUnit } = entry
  const { pageSize, present } = block
  const first = unit * pagesPerUnit
  const parts: Array<Uint8Array> = []
  for (let page = first; page < Math.min(first + pagesPerUnit, present.pages); page++) {
    const offset = page * pageSize
    if (present.has(page)) {
      const at = (page - first) * pageSize
      parts.push(...encoder.pages(block, [{ offset, bytes: bytes.subarray(at, at + pageSize) }]))
    } else parts.push(encoder.zeros(block, [{ offset, length: pageSize }]))
  }
  return parts
}

const count = (counters: TransferCounters, all: ReadonlyArray<Units>, bytes: number): void => {
  for (const { entry, unit } of all) {
    const { block, pagesPerUnit } = entry
    const first = unit * pagesPerUnit
    const pages = Math.min(pagesPerUnit, block.present.pages - first)
    const runs = block.present.runs(first, pages)
    const normal = runs.reduce((sum, value, index) => (index % 2 === 1 ? sum + value : sum), 0)
    counters.normalPages += normal
    counters.zeroPages += pages - normal
    counters.bytesHandled += pages * block.pageSize
  }
  counters.bytes += bytes
}

/**
 * @internal
 */
export const makeOutlet = (options: {
  readonly connection: Connection
  readonly channel: "main" | 0
  /** Absent on the channel for urgent pages, which has no sections. */
  readonly framing: Framing | undefined
  readonly counters: TransferCounters
  readonly onWritten: () => void
}): PageOutlet => {
  const { channel, connection, counters, framing, onWritten } = options
  const encoder = RamRecords.make()
  const frame = (parts: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array> => {
    if (framing === undefined) return parts
    const { footers, ramSectionId: sectionId } = framing
    return [SocketSections.encodeOpen("part", sectionId), ...parts, SocketSections.encodeClose({ sectionId, footers })]
  }
  return {
    write: (units) =>
      Effect.suspend(() => {
        if (units.length === 0) return Effect.void
        const parts = frame(units.flatMap((one) => partsOf(encoder, one)))
        return Effect.map(Effect.mapError(connection.write(parts), ConnectionError.at({ channel })), () => {
          count(
            counters,
            units,
            parts.reduce((sum, { length }) => sum + length, 0)
          )
          onWritten()
        })
      })
  }
}

/** A block that a ledger knows, as it is read. @internal */
export type Blocks<E> = ReadonlyMap<string, RamBlock.Readable<E>>
