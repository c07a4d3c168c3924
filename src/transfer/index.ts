/**
 * The modules that move pages: batches, channels, pipelines, and the interfaces of sources and targets of machines.
 *
 * @since 0.1.0
 */
export * as BlocksTarget from "../snapshot/BlocksTarget.ts"
export * as Channel from "./Channel.ts"
export * as FileChannel from "../image/FileChannel.ts"
export * as ImageTarget from "../image/ImageTarget.ts"
export * as Job from "./Job.ts"
export * as PageBatch from "../ram/PageBatch.ts"
export * as PageRuns from "../ram/PageRuns.ts"
export * as PageSink from "./PageSink.ts"
export * as Pipeline from "./Pipeline.ts"
export * as RamScanner from "../ram/RamScanner.ts"
export * as SinkChannel from "./SinkChannel.ts"
export * as SnapshotSource from "../snapshot/SnapshotSource.ts"
export * as SnapshotTarget from "../snapshot/SnapshotTarget.ts"
export * as TransferCounters from "./TransferCounters.ts"
