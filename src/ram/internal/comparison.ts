import * as Effect from "effect/Effect"
import * as Invariant from "../Invariant.ts"
import type { Tracking } from "./dirtyTrackerModel.ts"
import type { PageBitmap } from "../PageBitmap.ts"
import type { PageReader } from "../PageReader.ts"
import * as PageRuns from "../PageRuns.ts"
import type * as RamBlock from "../RamBlock.ts"
import type { PageRecords } from "./pageRecords.ts"

/**
 * Bytes compared between two turns of the event loop (a millisecond or less), and the size of a buffer if they must be
 * read first.
 */
const pieceLength = 2 * 1024 * 1024

/** Pieces read ahead of the comparison. */
const readsAtOnce = 3

/**
 * A reader that records the pages it returns. It offers no view: a write by another thread between this record and the
 * write of the page would be in the image and not in the record. Unwanted pages are not moved, so they are not
 * recorded.
 */
const recording = <E>({ pageSize, reader }: RamBlock.Readable<E>, records: PageRecords): PageReader<E> => ({
  present: undefined,
  view: undefined,
  readInto: (offset, target, pages = PageRuns.all(target.length / pageSize)) =>
    Effect.map(reader.readInto(offset, target, pages), () => records.record(offset / pageSize, target, pages))
})

const compareBlock = <E>(
  { pageSize, reader, usedLength }: RamBlock.Readable<E>,
  records: PageRecords,
  dirty: PageBitmap
): Effect.Effect<void, E> => {
  const spare: Array<Uint8Array> = []
  const pieces = Array.from({ length: Math.ceil(usedLength / pieceLength) }, (_, index) => index * pieceLength)
  const compareAt = (offset: number): Effect.Effect<void, E> => {
    const length = Math.min(pieceLength, usedLength - offset)
    if (reader.view !== undefined) {
      records.compare(offset / pageSize, reader.view(offset, length), dirty)
      return Effect.yieldNow
    }
    const buffer = spare.pop() ?? new Uint8Array(pieceLength)
    const data = buffer.subarray(0, length)
    return Effect.map(reader.readInto(offset, data), () => {
      records.compare(offset / pageSize, data, dirty)
      spare.push(buffer)
    })
  }
  return Effect.forEach(pieces, (offset) => Effect.suspend(() => compareAt(offset)), {
    concurrency: reader.view === undefined ? readsAtOnce : 1,
    discard: true
  })
}

/**
 * Tracks by comparing every page with its bytes as last returned.
 *
 * @internal
 */
export const trackByComparison = <E>(
  blocks: ReadonlyArray<RamBlock.Readable<E>>,
  makeRecords: (block: RamBlock.Shape) => PageRecords
): Tracking<E> => {
  const recorded = blocks.map((block) => ({ block, records: makeRecords(block) }))
  return {
    blocks: recorded.map(({ block, records }) => ({ ...block, reader: recording(block, records) })),
    collect: (dirty) =>
      Effect.forEach(
        recorded,
        ({ block, records }) =>
          compareBlock(block, records, Invariant.defined(dirty.get(block.idstr), "every block has a bitmap")),
        {
          discard: true
        }
      )
  }
}
