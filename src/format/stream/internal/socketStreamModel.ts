import type * as Result from "effect/Result"
import type { Finding } from "../../Finding.ts"
import type { Configuration } from "../MigrationStream.ts"

/**
 * A RAM block as the list of blocks has it.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface AnnouncedBlock {
  readonly idstr: string
  /** Bytes, a positive multiple of the page size. */
  readonly usedLength: number
  /** Offset in the parent region, only where the configuration lists `x-ignore-shared`. */
  readonly address?: number
}

/**
 * Bytes for a block at an offset: a page, or what changes in one.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Extent {
  /** Bytes from the start of the block, page aligned. */
  readonly offset: number
  /** Valid until the next call of {@link Reader} `space`. */
  readonly bytes: Uint8Array
}

/**
 * Pages that are zero, one behind the other.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface ZeroExtent {
  /** Bytes from the start of the block, page aligned. */
  readonly offset: number
  /** Bytes, whole pages. */
  readonly length: number
}

/**
 * What was read. Names are those of announced blocks, and offsets lie in them.
 *
 * - `Configuration`: the first one; `pageSize` holds for the whole stream. `configuration` is `undefined` where the sender
 *   left it out.
 * - `Command`: `openReturnPath` and `ping` ask for an answer (see `ReturnPath`), `switchoverStart` only tells.
 * - `EarlySection`: a whole device section in front of RAM's END, and whether it stands in front of RAM's START.
 * - `Blocks`: once, in RAM's START.
 * - `Pages`, `Zeros`, `Changes` (of XBZRLE): records of one block, as many as had arrived, in ascending order of their
 *   offsets. A page comes once in an event; where it comes in several, the later one counts.
 * - `Flush`: the mark of a sync, one in START and then one a round, if the machine type is 8.1 or later.
 * - `SectionEnd`: the end of the records of a section; `isMark` if sections are the marks of this stream's syncs, which is
 *   so if START had no `Flush`. Without multifd neither means anything.
 * - `RamEnd`: the last one. What follows is the device state, at `position` of the connection.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Event =
  | {
      readonly _tag: "Configuration"
      readonly configuration: Configuration | undefined
      /** Bytes of a page. */
      readonly pageSize: number
    }
  | { readonly _tag: "Command"; readonly command: "openReturnPath" | "switchoverStart" }
  | { readonly _tag: "Command"; readonly command: "ping"; readonly value: number }
  | { readonly _tag: "EarlySection"; readonly bytes: Uint8Array; readonly inPrelude: boolean }
  | {
      readonly _tag: "Blocks"
      /** RAM's section id. */
      readonly sectionId: number
      /** What the lengths add up to. */
      readonly totalLength: number
      readonly blocks: ReadonlyArray<AnnouncedBlock>
    }
  | { readonly _tag: "Pages"; readonly idstr: string; readonly extents: ReadonlyArray<Extent> }
  | { readonly _tag: "Changes"; readonly idstr: string; readonly extents: ReadonlyArray<Extent> }
  | { readonly _tag: "Zeros"; readonly idstr: string; readonly extents: ReadonlyArray<ZeroExtent> }
  | { readonly _tag: "Flush" }
  | { readonly _tag: "SectionEnd"; readonly section: "start" | "part" | "end"; readonly isMark: boolean }
  | { readonly _tag: "RamEnd"; readonly position: number; readonly footers: boolean }

/**
 * Reads a main channel. One caller, one call at a time.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Reader {
  /**
   * The next event, `undefined` if there is none without more bytes (and after `RamEnd`), or what is wrong: the same
   * finding from then on.
   */
  readonly next: () => Result.Result<Event | undefined, Finding>
  /**
   * Where the next bytes of the connection belong, at least one. To be called when `next` has no more events: their bytes
   * are no longer valid then.
   */
  readonly space: () => Uint8Array
  /** So many bytes were put into the last `space`. */
  readonly filled: (bytes: number) => void
  /** The peer will send no more: what is incomplete now is a finding, `stream-cut`. */
  readonly ended: () => void
  /** Bytes that were read and belong to no event: behind `RamEnd`, the beginning of the device state. */
  readonly rest: () => Uint8Array
}

/**
 * What a peer may announce.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  /** RAM blocks. Default 65536, more than any machine has. */
  readonly maxBlocks: number
  /** Bytes of RAM in all blocks. Default 2^53 - 1; nothing is allocated by it here. */
  readonly maxRam: number
  /** Bytes of all early sections, each of which is held until it is whole. Default 16 MiB. */
  readonly maxHeld: number
}
