/**
 * RAM blocks as a stream of page batches: where every migration begins.
 *
 * ```text
 * block   ├── batchSize ──┼── batchSize ──┼── batchSize ──┼─ rest ─┤
 * batch     0               1               2               3
 *
 * bitmap known, nothing present for a while:
 *         ├── batchSize ──┼─────────── one zero batch ────────────┼── batchSize ──┤
 * ```
 *
 * @since 0.1.0
 */
import * as Stream from "effect/Stream"
import type { PageBatch } from "./PageBatch.ts"
import * as PageRuns from "./PageRuns.ts"
import * as RamBlock from "./RamBlock.ts"

/**
 * Bytes in a batch by default: above 512 KiB the cost of a stream element no longer shows beside the bytes, and above
 * 2 MiB nothing more is gained.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultBatchSize: number = 1024 * 1024

/**
 * Bytes at most in a batch of pages that a bitmap says are not present: 1 TiB without a page is 16384 such batches, and
 * zeroing one of them is still short work.
 *
 * @category constants
 * @since 0.1.0
 */
export const maxZeroBatchSize: number = 64 * 1024 * 1024

/**
 * How a scan cuts blocks into batches.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * Bytes in a batch, 1 MiB by default, rounded down to whole pages, at least one. The last batch of a block is shorter
   * where the block is not a multiple.
   */
  readonly batchSize?: number | undefined
}

/**
 * All pages of all blocks once, block after block in ascending order. A batch never mixes blocks, begins at a multiple of
 * the batch size, and is made only when the consumer asks for it; nothing is read.
 *
 * **Details**
 *
 * Where a block's reader knows which pages are present, batches without any present page are joined to larger ones of up
 * to 64 MiB, so that a sparse image of 1 TiB is a matter of milliseconds. Such a batch has nothing to load.
 *
 * **Example** (Counting batches)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { MemoryPages, RamScanner } from "effect-multifd"
 *
 * const program = Effect.gen(function* () {
 *   const ram = yield* MemoryPages.make({ idstr: "pc.ram", memory: new Uint8Array(8 * 1024 * 1024) })
 *   return yield* Stream.runCount(RamScanner.scan([ram])) // => 8
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const scan = <E>(
  blocks: ReadonlyArray<RamBlock.Readable<E>>,
  options: Options = {}
): Stream.Stream<PageBatch<E>> =>
  // The default chunks of 4096 elements would run the scan far ahead of the queue.
  Stream.fromIterable(
    { [Symbol.iterator]: () => batches(blocks, options.batchSize ?? defaultBatchSize) },
    { chunkSize: 1 }
  )

function* batches<E>(blocks: ReadonlyArray<RamBlock.Readable<E>>, batchSize: number): Generator<PageBatch<E>, void> {
  for (const block of blocks) {
    const perBatch = Math.max(1, Math.floor(batchSize / block.pageSize))
    const total = RamBlock.pageCount(block)
    for (let first = 0; first < total;) {
      const count = Math.min(absentPages(block, first, perBatch) || perBatch, total - first)
      yield {
        block,
        offset: first * block.pageSize,
        length: count * block.pageSize,
        pages: PageRuns.all(count)
      }
      first += count
    }
  }
}

/** How many pages of whole batches from `first` on the bitmap knows to be absent. */
const absentPages = (block: RamBlock.Readable<unknown>, first: number, perBatch: number): number => {
  const { present } = block.reader
  if (present === undefined) return 0
  const atMost = Math.max(1, Math.floor(maxZeroBatchSize / (perBatch * block.pageSize))) * perBatch
  const before = Math.min(first + atMost, present.pages)
  const absent = present.nextSet(first, before) - first
  return first + absent === present.pages ? absent : absent - (absent % perBatch)
}
