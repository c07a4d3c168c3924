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
  /** Absolute position. */
  readonly position: number
  readonly length: number
}

/**
 * A RAM block in an image: its shape, and the positions of its bitmap and pages.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface MappedBlock {
  readonly idstr: string
  /** Bytes. */
  readonly usedLength: number
  /** Offset in the parent region, 0 for ordinary RAM. Present only in images saved with `x-ignore-shared`. */
  readonly address?: number
  /** Absolute position of the block's entry. */
  readonly entryPosition: number
  /** Absolute position of the block's mapped-ram header. */
  readonly headerPosition: number
  readonly header: MappedRam.Header
  /** Shared memory that the save left out (`x-ignore-shared`): it has no bitmap and no pages. */
  readonly ignored: boolean
}

/**
 * Everything read from a file. It is complete if there is no finding of severity `error`.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface ParsedImage {
  /** Byte offset of the stream. */
  readonly start: number
  /** `undefined` if the sender left it out (`send-configuration=off`). */
  readonly configuration: Configuration | undefined
  readonly configurationRange: ByteRange
  /** Commands and sections between the configuration and RAM's START. */
  readonly prelude: ByteRange
  readonly ramSectionId: number | undefined
  /** The total length of all blocks in the stream. */
  readonly totalLength: number | undefined
  /** In the order of the stream. */
  readonly blocks: ReadonlyArray<MappedBlock>
  /** Sections and commands between RAM's START and END that are neither RAM's nor SWITCHOVER_START, in order. */
  readonly early: ReadonlyArray<ByteRange>
  readonly switchoverStart: boolean
  /** `true` if sections end with a footer. */
  readonly footers: boolean
  /** The end of RAM's END, where the device state begins; `undefined` if the parser did not get there. */
  readonly stateStart: number | undefined
  /** In the order in which they were found; the last may be the one that stopped the parser. */
  readonly findings: ReadonlyArray<Finding>
}

/**
 * A block to be written.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface HeadBlock extends Shape {
  /** Offset in the parent region, written if the configuration lists `x-ignore-shared`. Default 0. */
  readonly address?: number | undefined
  /** Shared memory that the loading machine already has: only its entry is written. Default `false`. */
  readonly ignored?: boolean | undefined
}

/**
 * Bytes and their file position.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Piece {
  /** Absolute position. */
  readonly position: number
  readonly bytes: Uint8Array
}

/**
 * The layout of an image to be written.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface ImageHead {
  /** The stream up to the last block's header, in pieces between the page regions. */
  readonly pieces: ReadonlyArray<Piece>
  /** The positions of each block's bitmap and pages. */
  readonly blocks: ReadonlyArray<MappedBlock>
  /** The position after the last page region, where the stream continues. */
  readonly end: number
}
