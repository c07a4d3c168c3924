/**
 * Counters of the data moved by the channels of a migration.
 *
 * @since 0.1.0
 */
import * as PageRuns from "../ram/PageRuns.ts"
import type { Shape } from "../ram/RamBlock.ts"

/**
 * Sums over all channels of one migration, increased by a channel when it has moved a batch. They may be read at any
 * time.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface TransferCounters {
  /** Pages moved as data. A page counts each time it is moved. */
  normalPages: number
  /** Pages found to be all zeros. */
  zeroPages: number
  /** Bytes of RAM that these pages make up, zero pages included. */
  bytesHandled: number
  /** Bytes moved for these pages: normal pages with their framing, and gaps moved along. */
  bytes: number
  /** The part of `bytes` that were records on the main channel of a migration over sockets. */
  recordBytes: number
}

/**
 * Makes counters at zero.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const make = (): TransferCounters => ({
  normalPages: 0,
  zeroPages: 0,
  bytesHandled: 0,
  bytes: 0,
  recordBytes: 0
})

interface Moved {
  readonly block: Pick<Shape, "pageSize">
  readonly normal: PageRuns.PageRuns
  readonly zero: PageRuns.PageRuns
}

/**
 * Counts one batch whose pages took `bytes` bytes on the channel.
 *
 * @stability unstable
 * @category counting
 * @since 0.1.0
 */
export const add = (self: TransferCounters, batch: Moved, bytes: number): void => {
  const normal = PageRuns.pages(batch.normal)
  const zero = PageRuns.pages(batch.zero)
  self.normalPages += normal
  self.zeroPages += zero
  self.bytesHandled += (normal + zero) * batch.block.pageSize
  self.bytes += bytes
}

/**
 * Counts one batch whose pages took `bytes` bytes of records on the main channel.
 *
 * @stability unstable
 * @category counting
 * @since 0.1.0
 */
export const addRecords = (self: TransferCounters, batch: Moved, bytes: number): void => {
  add(self, batch, bytes)
  self.recordBytes += bytes
}
