import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { PageBatch } from "../../ram/PageBatch.ts"
import * as Invariant from "../../ram/Invariant.ts"
import * as RamScanner from "../../ram/RamScanner.ts"
import * as SnapshotSource from "../../snapshot/SnapshotSource.ts"
import * as Job from "../../transfer/Job.ts"
import * as PageSink from "../../transfer/PageSink.ts"
import * as LaneCopy from "../../transfer/LaneCopy.ts"
import * as Pipeline from "../../transfer/Pipeline.ts"
import * as PipelineOptions from "../../transfer/PipelineOptions.ts"
import * as SinkChannel from "../../transfer/SinkChannel.ts"
import type { MigrationError, RestoreOptions } from "./migrationModel.ts"
import type { Progress } from "../Progress.ts"
import { checkRestore } from "./request.ts"

/**
 * Fills blocks from a snapshot.
 *
 * ```text
 *   setup    every block against the snapshot, before any is touched
 *   ram      bitmaps → queue → channels, which read straight into the blocks and zero what is absent
 *   sync     blocks that lie in files are made durable
 * ```
 *
 * @internal
 */
export const restore = Effect.fnUntraced(function* <E, E2>(
  options: RestoreOptions<E, E2>,
  progress: Progress
): Effect.fn.Return<void, MigrationError | E | E2> {
  const { blocks, directIo, source } = options
  yield* progress.enter("setup")
  const { batchSize, channels, coalescePages, queueDepth } = yield* PipelineOptions.make(options)
  const sources = new Map(source.blocks.map((block) => [block.idstr, block]))
  yield* checkRestore(blocks, source)
  const { counters } = progress
  const writers = new Map(blocks.map((block) => [block.idstr, block]))
  const sinks = new Map(blocks.map((block) => [block.idstr, PageSink.toBlock(block, { coalescePages, counters })]))

  yield* progress.begin(blocks)
  yield* progress.enter("ram")
  yield* Pipeline.run({
    source: Job.round(scan(options, sources, (yield* LaneCopy.suit(options)) ? LaneCopy.batchSize : batchSize)),
    channels,
    queueDepth,
    open: (id) =>
      source.restoreChannel?.(id, { blocks: writers, directIo, coalescePages, counters }) ??
      Effect.succeed(SinkChannel.make({ id, sinks }))
  })

  yield* progress.enter("sync")
  yield* Effect.forEach(blocks, (block) => block.writer.sync, { discard: true })
})

/**
 * Bytes in a batch that is read directly into process memory, which needs no buffer: several huge pages, so that two
 * channels seldom share one. The kernel clears a fresh huge page for each channel that does.
 */
const MEMORY_BATCH_BYTES = 8 * 1024 * 1024

/** Block after block, as in `RamScanner`, in batches of the requested size or the best one for the block. */
const scan = <E>(
  { batchSize, blocks, directIo, source }: RestoreOptions<unknown, E>,
  sources: ReadonlyMap<string, SnapshotSource.SnapshotSource<E>["blocks"][number]>,
  byDefault: number
): Stream.Stream<PageBatch<E>> =>
  Stream.flatMap(Stream.fromIterable(blocks, { chunkSize: 1 }), ({ idstr, writer }) => {
    const straight = writer.view !== undefined && directIo !== true
    return RamScanner.scan([Invariant.defined(sources.get(idstr), `the source has the block "${idstr}"`)], {
      batchSize: SnapshotSource.wholeUnits(batchSize ?? (straight ? MEMORY_BATCH_BYTES : byDefault), source)
    })
  })
