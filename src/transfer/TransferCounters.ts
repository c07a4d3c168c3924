/**
 * What the channels of a migration have moved so far.
 *
 * @since 0.1.0
 */
import * as PageRuns from "../ram/PageRuns.ts"
import type { Shape } from "../ram/RamBlock.ts"

/**
 * Sums over all channels of one migration, raised by a channel when it has moved a batch. Anyone may read them at any
 * time.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface TransferCounters {
  /** Pages moved as data. A page that is moved again counts again. */
  normalPages: number
  /** Pages found to be all zeros. */
  zeroPages: number
  /** Bytes of RAM that these pages make up, zero pages included. */
  bytesHandled: number
  /** Bytes that were moved for them: normal pages and what stands around them, and the gaps that were moved along. */
  bytes: number
  /** Of `bytes`, those that were records on the main channel of a migration over sockets. */
  recordBytes: number
}

/**
 * Counters at zero.
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
 * Counts one batch whose pages have been moved by `bytes` bytes on the channel.
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
 * The same for a batch whose pages have been moved by records on the main channel.
 *
 * @stability unstable
 * @category counting
 * @since 0.1.0
 */
export const addRecords = (self: TransferCounters, batch: Moved, bytes: number): void => {
  add(self, batch, bytes)
  self.recordBytes += bytes
}
