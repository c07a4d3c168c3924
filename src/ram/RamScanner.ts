/**
 * RAM blocks as a stream of page batches, with which every migration begins.
 *
 * ```text
 * block   ├── batchSize ──┼── batchSize ──┼── batchSize ──┼─ rest ─┤
 * batch     0               1               2               3
 *
 * bitmap known, nothing present for a while:
 *         ├── batchSize ──┼─────────── one zero batch ────────────┼── batchSize ──┤
 *
 * dirty pages only:
 * page    · · █ █ · █ · · · · · · · · · · · · █ · ·
 *             ├── 0 ──┤                       ├ 1 ┤
 * ```
 *
 * @since 0.1.0
 */
// Runs are pairs of numbers, and the index stays below their length: a check would be paid for every run of a batch.
// oxlint-disable typescript/no-non-null-assertion -- see above
import * as Stream from "effect/Stream"
import * as Invariant from "./Invariant.ts"
import type { DirtyPages } from "./DirtyTracker.ts"
import type { PageBatch } from "./PageBatch.ts"
import * as PageRuns from "./PageRuns.ts"
import * as RamBlock from "./RamBlock.ts"

/**
 * Bytes in a batch by default. Above 512 KiB the overhead of a stream element is negligible, and above 2 MiB nothing
 * more is gained.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const defaultBatchSize: number = 1024 * 1024

/**
 * Largest batch, in bytes, of pages that a bitmap marks absent. 1 TiB without a page is 16384 such batches, and zeroing
 * one is still quick.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const maxZeroBatchSize: number = 64 * 1024 * 1024

/**
 * Options for cutting blocks into batches.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * Bytes in a batch, 1 MiB by default, rounded down to whole pages, at least one. The last batch of a block is shorter
   * if the block's length is not a multiple.
   */
  readonly batchSize?: number | undefined
}

/**
 * Streams all pages of all blocks once, block after block in ascending order. A batch never mixes blocks and begins at
 * a multiple of the batch size. Batches are made on demand, and nothing is read.
 *
 * **Details**
 *
 * If a block's reader knows which pages are present, batches without any present page are joined into larger ones of up
 * to 64 MiB, so that scanning a sparse image of 1 TiB takes milliseconds. Such a batch has nothing to load.
 *
 * **Example** (Counting batches)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { MemoryPages } from "effect-multifd"
 * import { RamScanner } from "effect-multifd/transfer"
 *
 * const program = Effect.gen(function* () {
 *   const ram = yield* MemoryPages.make({ idstr: "pc.ram", memory: new Uint8Array(8 * 1024 * 1024) })
 *   return yield* Stream.runCount(RamScanner.scan([ram])) // => 8
 * })
 * ```
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const scan = <E>(
  blocks: ReadonlyArray<RamBlock.Readable<E>>,
  options: Options = {}
): Stream.Stream<PageBatch<E>> => oneByOne(() => batches(blocks, options.batchSize ?? defaultBatchSize))

/** The default chunks of 4096 elements would run the scan far ahead of the queue. */
const oneByOne = <A>(iterator: () => Iterator<A>): Stream.Stream<A> =>
  Stream.fromIterable({ [Symbol.iterator]: iterator }, { chunkSize: 1 })

const pagesOf = (block: RamBlock.Shape, bytes: number): number => Math.max(1, Math.floor(bytes / block.pageSize))

function* batches<E>(blocks: ReadonlyArray<RamBlock.Readable<E>>, batchSize: number): Generator<PageBatch<E>, void> {
  for (const block of blocks) {
    const perBatch = pagesOf(block, batchSize)
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

/** The number of pages, in whole batches from `first`, that the bitmap marks absent. */
const absentPages = (block: RamBlock.Readable<unknown>, first: number, perBatch: number): number => {
  const { present } = block.reader
  if (present === undefined) return 0
  const atMost = Math.max(1, Math.floor(maxZeroBatchSize / (perBatch * block.pageSize))) * perBatch
  const before = Math.min(first + atMost, present.pages)
  const absent = present.nextSet(first, before) - first
  return first + absent === present.pages ? absent : absent - (absent % perBatch)
}

/**
 * Options for cutting the dirty pages of blocks into batches.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface DirtyOptions extends Options {
  /** Largest gap of clean pages that is added to a batch to join two runs of dirty pages; 0 by default. */
  readonly coalescePages?: number | undefined
}

/**
 * Largest gap between two dirty pages, in bytes, worth reading to save a batch. For blocks that must be read before
 * they can be examined: about the number of bytes read in the time of one batch.
 */
const maxGapRead = 64 * 1024

/**
 * Streams all dirty pages of all blocks once, block after block in ascending order, in batches that never mix blocks. A
 * page is removed from `dirty` when its batch is made, before it is read. A page that becomes dirty again is therefore
 * in the next scan.
 *
 * **Details**
 *
 * `dirty` must hold a bitmap for each of the blocks. A batch begins and ends with a dirty page.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const scanDirty = <E>(
  blocks: ReadonlyArray<RamBlock.Readable<E>>,
  dirty: DirtyPages,
  options: DirtyOptions = {}
): Stream.Stream<PageBatch<E>> => oneByOne(() => dirtyBatches(blocks, dirty, options))

function* dirtyBatches<E>(
  blocks: ReadonlyArray<RamBlock.Readable<E>>,
  dirty: DirtyPages,
  { batchSize = defaultBatchSize, coalescePages = 0 }: DirtyOptions
): Generator<PageBatch<E>, void> {
  for (const block of blocks) {
    const { pageSize, reader } = block
    const bitmap = Invariant.defined(dirty.get(block.idstr), "every block has a bitmap")
    const perBatch = pagesOf(block, batchSize)
    const maxGap = reader.view === undefined ? Math.max(coalescePages, pagesOf(block, maxGapRead)) : perBatch
    for (let first = bitmap.nextSet(0); first < bitmap.pages; first = bitmap.nextSet(first)) {
      const found = bitmap.runs(first, Math.min(perBatch, bitmap.pages - first))
      const pages = PageRuns.merge(upToGap(found, maxGap), coalescePages)
      const count = PageRuns.end(pages)
      bitmap.clearRange(first, count)
      yield { block, offset: first * pageSize, length: count * pageSize, pages }
    }
  }
}

/** The runs before the first gap of more than `maxGap` pages. */
const upToGap = (runs: PageRuns.PageRuns, maxGap: number): PageRuns.PageRuns => {
  for (let i = 2; i < runs.length; i += 2) {
    if (runs[i]! - (runs[i - 2]! + runs[i - 1]!) > maxGap) return runs.slice(0, i)
  }
  return runs
}
