import * as Effect from "effect/Effect"
import type { Tracking } from "../DirtyTracker.ts"
import type { PageBatch } from "../PageBatch.ts"
import type { PageBitmap } from "../PageBitmap.ts"
import type { PageReader } from "../PageReader.ts"
import * as PageRuns from "../PageRuns.ts"
import type * as RamBlock from "../RamBlock.ts"
import type { PageRecords } from "./pageRecords.ts"

/**
 * Bytes compared between two turns of the event loop, a millisecond or less, and the size of a buffer where they have to be
 * read first.
 */
const pieceLength = 2 * 1024 * 1024

/** Pieces that are read ahead of the comparison. */
const readsAtOnce = 3

/** The pages among `count` from `first` on, relative to `first`, both relative to the batch. */
const part = (pages: PageRuns.PageRuns, first: number, count: number): PageRuns.PageRuns =>
  PageRuns.intersect(pages, [first, count]).map((value, index) => (index % 2 === 0 ? value - first : value))

/**
 * A reader that takes down what it hands out of a batch's pages. It offers no view: what another thread writes between the
 * look that is taken here and the write of the page would be in the image and not in the record.
 */
const recording = <E>({ block, offset, pages }: PageBatch<E>, records: PageRecords): PageReader<E> => ({
  present: undefined,
  view: undefined,
  readInto: (at, target) =>
    Effect.map(block.reader.readInto(at, target), () => {
      const { pageSize } = block
      records.record(at / pageSize, target, part(pages, (at - offset) / pageSize, target.length / pageSize))
    })
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
 * Tracks by comparing every page with what was last handed out of it.
 *
 * @internal
 */
export const trackByComparison = <E>(
  blocks: ReadonlyArray<RamBlock.Readable<E>>,
  makeRecords: (block: RamBlock.Shape) => PageRecords
): Tracking<E> => {
  const records = new Map(blocks.map((block) => [block.idstr, makeRecords(block)]))
  return {
    follow: (batch) => ({
      ...batch,
      block: { ...batch.block, reader: recording(batch, records.get(batch.block.idstr)!) }
    }),
    collect: (dirty) =>
      Effect.forEach(blocks, (block) => compareBlock(block, records.get(block.idstr)!, dirty.get(block.idstr)!), {
        discard: true
      })
  }
}
