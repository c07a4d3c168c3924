import type { FileError } from "../../io/files/FileError.ts"
import type { ImageNotes } from "../../format/seal/ImageNotes.ts"
import type { PipelineOptionsError } from "../../transfer/PipelineOptions.ts"
import type { RateLimit } from "../../transfer/RateLimit.ts"
import type * as RamBlock from "../../ram/RamBlock.ts"
import type * as ImageTarget from "../../image/ImageTarget.ts"
import type { ImageError } from "../../image/ImageError.ts"
import type { IntegrityError, SealKeyError } from "../../image/Integrity.ts"
import type { MachineSource, SnapshotSource } from "../../snapshot/SnapshotSource.ts"
import type { SnapshotTarget } from "../../snapshot/SnapshotTarget.ts"
import type { Location } from "../../image/Location.ts"
import type { MigrationRequestError } from "../../snapshot/MigrationRequestError.ts"
import type * as Progress from "../Progress.ts"

/**
 * What every operation can be told.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface TransferOptions {
  /** Number of channels, 1 to 255. Default 3. */
  readonly channels?: number | undefined
  /** Batches that wait between the scan and the channels, 1 to 4096. Default 8. */
  readonly queueDepth?: number | undefined
  /**
   * Bytes in a batch, 1 KiB to 16 MiB. Default 1 MiB, and 8 MiB where pages go straight into process memory. Buffers take
   * no more than channels × batch size.
   */
  readonly batchSize?: number | undefined
  /** Absent pages between two runs that are moved along rather than skipped. Default 4; costs room on the disk. */
  readonly coalescePages?: number | undefined
  /** O_DIRECT on the channels' descriptors of the image. Default `false`. */
  readonly directIo?: boolean | undefined
  /** Follows this one operation. */
  readonly progress?: Progress.Progress | undefined
}

/**
 * A place for a machine. A path or a `Location` stands for an image there; anything else that takes a machine is a
 * `SnapshotTarget`, which has options of its own.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Target<A = void, E = never> = string | Location | SnapshotTarget<A, E>

/**
 * Options of every operation that writes a machine.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface WriteOptions<out A = void, out E = never> extends TransferOptions, ImageTarget.Options {
  /** Where the machine goes. An image may replace the one that the machine is from, but not in place. */
  readonly target: Target<A, E>
  /** What is noted of the machine beside its stream. It counts more than what the source knows of itself. */
  readonly notes?: ImageNotes | undefined
  /**
   * Bytes per second of pages that are written, over all channels together; 0: no limit, the default. A `RateLimit` can be
   * changed while the operation goes on.
   */
  readonly maxBandwidth?: number | RateLimit | undefined
}

/**
 * What to save, and where.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface SaveOptions<out E = never, out A = void, out E2 = never>
  extends WriteOptions<A, E2>, Omit<MachineSource<E>, "notes" | "storage"> {}

/**
 * What to restore, and where to.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface RestoreOptions<out E = never, out E2 = never> extends TransferOptions {
  /** An image, or another snapshot. */
  readonly source: SnapshotSource<E2>
  /** Where the pages go: each one a block of the source, of its length. Other blocks of the source are left alone. */
  readonly blocks: ReadonlyArray<RamBlock.Writable<E>>
}

/**
 * What to convert, and where to.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface ConvertOptions<out E = never, out A = void, out E2 = never> extends WriteOptions<A, E2> {
  /** An image, or another snapshot. */
  readonly source: SnapshotSource<E>
}

/**
 * What an operation did.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Summary {
  /** Bytes of RAM covered, zero pages included. */
  readonly bytesTotal: number
  /** Pages covered: `normalPages + zeroPages`. With `live`, a page that is moved again counts again. */
  readonly pages: number
  /** Pages moved as data. */
  readonly normalPages: number
  /** Pages found to be all zeros. */
  readonly zeroPages: number
  /** Bytes written to or read from the image's page regions, or sent over the channels. */
  readonly bytesTransferred: number
  /** Milliseconds spent in each phase. */
  readonly phaseMillis: Progress.PhaseMillis
}

/**
 * What an operation wrote: its numbers, and the value that the target gives. An image has none.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Written<out A = void> extends Summary {
  readonly value: A
}

/**
 * Why an operation failed.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export type MigrationError =
  | ImageError
  | IntegrityError
  | SealKeyError
  | FileError
  | MigrationRequestError
  | PipelineOptionsError
  | RamBlock.RamBlockError
