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
 * Options of every operation.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface TransferOptions {
  /** Number of channels, 1 to 255. Default 3. */
  readonly channels?: number | undefined
  /** Batches queued between the scan and the channels, 1 to 4096. Default 8. */
  readonly queueDepth?: number | undefined
  /**
   * Bytes in a batch, 1 KiB to 16 MiB. Default 1 MiB, and 8 MiB if pages go directly into process memory. Buffers take
   * at most channels × batch size.
   */
  readonly batchSize?: number | undefined
  /** Largest gap of absent pages between two runs that is moved rather than skipped. Default 4; it takes disk space. */
  readonly coalescePages?: number | undefined
  /** Uses O_DIRECT on the channels' descriptors of the image. Default `false`. */
  readonly directIo?: boolean | undefined
  /** Follows this operation. */
  readonly progress?: Progress.Progress | undefined
}

/**
 * The destination of a machine. A path or a `Location` means an image there; any other destination is a
 * `SnapshotTarget`, which has its own options.
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
  /** The destination of the machine. An image may replace the one that the machine comes from, but not in place. */
  readonly target: Target<A, E>
  /** Notes on the machine besides its stream. They override the source's. */
  readonly notes?: ImageNotes | undefined
  /**
   * Bytes per second of written pages, over all channels together; 0: no limit, the default. A `RateLimit` can be
   * changed during the operation.
   */
  readonly maxBandwidth?: number | RateLimit | undefined
}

/**
 * Options of a save.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface SaveOptions<out E = never, out A = void, out E2 = never>
  extends WriteOptions<A, E2>, Omit<MachineSource<E>, "notes" | "storage"> {}

/**
 * Options of a restore.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface RestoreOptions<out E = never, out E2 = never> extends TransferOptions {
  /** An image, or another snapshot. */
  readonly source: SnapshotSource<E2>
  /**
   * The destination blocks: each one is a block of the source, with its length. Other blocks of the source are ignored.
   */
  readonly blocks: ReadonlyArray<RamBlock.Writable<E>>
}

/**
 * Options of a conversion.
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
 * The result of an operation.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Summary {
  /** Bytes of RAM covered, including zero pages. */
  readonly bytesTotal: number
  /** Pages covered: `normalPages + zeroPages`. With `live`, a page counts each time it is moved. */
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
 * The counters of an operation that writes, and the value from its target. An image has none.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Written<out A = void> extends Summary {
  readonly value: A
}

/**
 * Errors of an operation.
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
