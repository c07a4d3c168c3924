import type * as Result from "effect/Result"
import type { Finding } from "../../Finding.ts"
import type { Configuration } from "../MigrationStream.ts"

/**
 * A RAM block in the list of blocks.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface AnnouncedBlock {
  readonly idstr: string
  /** Bytes, a positive multiple of the page size. */
  readonly usedLength: number
  /** Offset in the parent region, present only if the configuration lists `x-ignore-shared`. */
  readonly address?: number
}

/**
 * Bytes for an offset in a block: a page, or the changes in one.
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
 * Consecutive zero pages.
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
 * A parsed event. Names are those of announced blocks, and offsets are inside them.
 *
 * - `Configuration`: the first event; `pageSize` is valid for the whole stream. `configuration` is `undefined` if the
 *   sender left it out.
 * - `Command`: `openReturnPath` and `ping` ask for an answer (see `ReturnPath`); `switchoverStart` is only a notice.
 * - `EarlySection`: a complete device section before RAM's END, with a flag for those before RAM's START.
 * - `Blocks`: once, in RAM's START.
 * - `Pages`, `Zeros`, `Changes` (of XBZRLE): records of one block, as many as had arrived, in ascending order of their
 *   offsets. A page occurs once in an event; if it occurs in several, the latest counts.
 * - `Flush`: the mark of a sync, one in START and then one per round, if the machine type is 8.1 or later.
 * - `SectionEnd`: the end of the records of a section. `isMark` if sections mark this stream's syncs, which is the case
 *   if START had no `Flush`. Without multifd both are meaningless.
 * - `RamEnd`: the last event. The device state follows at `position` of the connection.
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
      /** The sum of the lengths. */
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
 * Reads a main channel. For one caller, with one call at a time.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Reader {
  /**
   * The next event, `undefined` if more bytes are needed (and after `RamEnd`), or the problem: from then on the same
   * finding.
   */
  readonly next: () => Result.Result<Event | undefined, Finding>
  /**
   * Space for the next bytes of the connection, at least one. Call it only when `next` has no more events, because it
   * invalidates their bytes.
   */
  readonly space: () => Uint8Array
  /** Reports the number of bytes put into the last `space`. */
  readonly filled: (bytes: number) => void
  /** Reports the end of the peer's data: incomplete data is now a `stream-cut` finding. */
  readonly ended: () => void
  /** Bytes that were read and belong to no event: after `RamEnd`, the start of the device state. */
  readonly rest: () => Uint8Array
}

/**
 * Limits on a peer's announcements.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  /** Most RAM blocks. Default 65536, more than any machine has. */
  readonly maxBlocks: number
  /** Most bytes of RAM in all blocks. Default 2^53 - 1; it allocates nothing here. */
  readonly maxRam: number
  /** Most bytes in all early sections, each of which is held until it is complete. Default 16 MiB. */
  readonly maxHeld: number
}
