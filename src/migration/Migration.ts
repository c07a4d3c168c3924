/**
 * Save, restore and convert: the operations of the library, as a service.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { FileError } from "../io/FileError.ts"
import type { PipelineOptionsError } from "../multifd/PipelineOptions.ts"
import type * as RamBlock from "../ram/RamBlock.ts"
import type { Image } from "./Image.ts"
import type { ImageError } from "./ImageError.ts"
import type { MachineState } from "./MachineState.ts"
import type { MigrationRequestError } from "./MigrationRequestError.ts"
import type { PhaseMillis, Progress } from "./Progress.ts"

/**
 * A file, or a place in one: where an image begins.
 *
 * @category models
 * @since 0.1.0
 */
export interface Location {
  readonly path: string
  /** Byte offset of the migration stream in the file. Given (even 0): the file is written in place, as QEMU's `offset=`. */
  readonly offset?: number | undefined
}

/**
 * What every operation can be told.
 *
 * @category models
 * @since 0.1.0
 */
export interface TransferOptions {
  /** Number of channels, 1 to 255. Default 4. */
  readonly channels?: number | undefined
  /** Batches that wait between the scan and the channels, 1 or more. Default 8. */
  readonly queueDepth?: number | undefined
  /** Bytes in a batch, at least a page. Default 1 MiB. */
  readonly batchSize?: number | undefined
  /** O_DIRECT on the channels' descriptors of the image. Default `false`. */
  readonly directIo?: boolean | undefined
  /** Follows the operation. */
  readonly progress?: Progress | undefined
}

export interface SaveOptions<E> extends TransferOptions {
  readonly target: string | Location
  readonly blocks: ReadonlyArray<RamBlock.Readable<E>>
  /** Everything that is not RAM. Default: no device state, machine type `none`. */
  readonly machineState?: MachineState<E> | undefined
  /** Zero pages between two runs that are written along with them rather than skipped. */
  readonly coalescePages?: number | undefined
}

export interface RestoreOptions<E> extends TransferOptions {
  readonly image: Image
  /** Where the pages go. Blocks of the image that are not named here are left alone. */
  readonly blocks: ReadonlyArray<RamBlock.Writable<E>>
}

export interface ConvertOptions extends TransferOptions {
  readonly source: Image
  readonly target: string | Location
  readonly coalescePages?: number | undefined
}

/**
 * What an operation did.
 *
 * @category models
 * @since 0.1.0
 */
export interface Summary {
  /** Bytes of RAM covered, zero pages included. */
  readonly bytesTotal: number
  readonly pages: number
  readonly normalPages: number
  readonly zeroPages: number
  /** Bytes written to or read from the image's page regions. */
  readonly bytesTransferred: number
  readonly phaseMillis: PhaseMillis
}

export type MigrationError = ImageError | FileError | MigrationRequestError | PipelineOptionsError

export class Migration extends Context.Service<
  Migration,
  {
    readonly save: <E>(options: SaveOptions<E>) => Effect.Effect<Summary, MigrationError | E>
    readonly restore: <E>(options: RestoreOptions<E>) => Effect.Effect<Summary, MigrationError | E>
    readonly convert: (options: ConvertOptions) => Effect.Effect<Summary, MigrationError>
  }
>()("effect-multifd/migration/Migration") {}
