import type { Shape } from "../../../ram/RamBlock.ts"
import type { Finding } from "../../Finding.ts"
import type * as MappedRam from "../MappedRam.ts"
import type { Configuration } from "../../stream/MigrationStream.ts"

/**
 * A range of bytes of the file.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface ByteRange {
  /** Absolute. */
  readonly position: number
  readonly length: number
}

/**
 * A RAM block in an image: what it is, and where its bitmap and pages lie.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface MappedBlock {
  readonly idstr: string
  /** Bytes. */
  readonly usedLength: number
  /** Offset in the parent region, 0 for ordinary RAM. Only images that were saved with `x-ignore-shared` say it. */
  readonly address?: number
  /** Absolute position of the block's entry. */
  readonly entryPosition: number
  /** Absolute position of the block's mapped-ram header. */
  readonly headerPosition: number
  readonly header: MappedRam.Header
  /** Shared memory that the save left out (`x-ignore-shared`): there is neither a bitmap nor a page. */
  readonly ignored: boolean
}

/**
 * Everything that could be made out of a file. Without findings of severity `error`, everything is there.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface ParsedImage {
  /** Where the stream begins. */
  readonly start: number
  /** `undefined` where the sender left it out (`send-configuration=off`). */
  readonly configuration: Configuration | undefined
  readonly configurationRange: ByteRange
  /** Commands and sections between the configuration and RAM's START. */
  readonly prelude: ByteRange
  readonly ramSectionId: number | undefined
  /** What the lengths of all blocks add up to, as the stream says. */
  readonly totalLength: number | undefined
  /** In the order of the stream. */
  readonly blocks: ReadonlyArray<MappedBlock>
  /** Sections and commands between RAM's START and END that are neither RAM's nor SWITCHOVER_START, in order. */
  readonly early: ReadonlyArray<ByteRange>
  readonly switchoverStart: boolean
  /** Whether sections end with a footer. */
  readonly footers: boolean
  /** The position behind RAM's END, where the device state begins; `undefined` if the parser did not get there. */
  readonly stateStart: number | undefined
  /** In the order in which they were found; the last may be the one that the parser gave up at. */
  readonly findings: ReadonlyArray<Finding>
}

/**
 * A block that is about to be written.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface HeadBlock extends Shape {
  /** Offset in the parent region, written where the configuration lists `x-ignore-shared`. Default 0. */
  readonly address?: number | undefined
  /** Shared memory that the loading machine has already: only its entry is written. Default `false`. */
  readonly ignored?: boolean | undefined
}

/**
 * Bytes and the file position that they belong to.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Piece {
  /** Absolute. */
  readonly position: number
  readonly bytes: Uint8Array
}

/**
 * The layout of an image that is about to be written.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface ImageHead {
  /** The stream up to the last block's header, in pieces between the page regions. */
  readonly pieces: ReadonlyArray<Piece>
  /** Where each block's bitmap and pages belong. */
  readonly blocks: ReadonlyArray<MappedBlock>
  /** Where the stream goes on: behind the last page region. */
  readonly end: number
}
