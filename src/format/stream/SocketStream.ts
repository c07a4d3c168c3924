/**
 * The main channel of a migration over a socket, parsed as it arrives, up to the end of RAM.
 *
 * ```text
 *   file header │ configuration │ commands, early sections │ START "ram": list of blocks, [FLUSH], end
 *   early sections │ PART: (ZERO │ PAGE │ XBZRLE │ FLUSH)*, end │ …
 *   SWITCHOVER_START │ END: as a PART │ … device state: not read here
 * ```
 *
 * Records of RAM, each a big-endian u64 of flags (the low ten bits) and an address:
 *
 * ```text
 *   004  MEM_SIZE   address = bytes of all blocks; (str8 name, u64 length, [u64 address if x-ignore-shared])*
 *   002  ZERO       [str8 block unless CONTINUE], u8 0
 *   008  PAGE       [str8 block unless CONTINUE], one page
 *   040  XBZRLE     [str8 block unless CONTINUE], u8 1, u16 length, changes
 *   200  FLUSH      the mark of a sync, from machine types 8.1 on
 *   010  EOS        ends the section; the mark of a sync in machine types up to 8.0
 *   020  CONTINUE   with ZERO, PAGE or XBZRLE: the block that was named last, in whichever section
 * ```
 *
 * The caller does the reading: it puts bytes into the reader's space and takes events out:
 *
 * ```text
 *   caller                                    reader
 *     │ ── next() ─────────────────────────────▶ │
 *     │ ◀── undefined: not without more bytes ── │
 *     │ ── space(), read at least one, filled(n)▶ │   or ended()
 *     │ ── next() ─────────────────────────────▶ │
 *     │ ◀── event ────────────────────────────── │   until RamEnd; what is left of the bytes is rest()
 * ```
 *
 * The reader never waits for bytes that a peer may withhold: an event is available as soon as its last byte has
 * arrived.
 *
 * @since 0.1.0
 */
import { MAX_BLOCKS } from "./internal/blockList.ts"
import { SocketReader } from "./internal/socketReader.ts"
import type { Reader, Limits } from "./internal/socketStreamModel.ts"

export type { AnnouncedBlock, Event, Extent, Limits, Reader, ZeroExtent } from "./internal/socketStreamModel.ts"

const defaults: Limits = {
  maxBlocks: MAX_BLOCKS,
  maxRam: Number.MAX_SAFE_INTEGER,
  maxHeld: 16 * 1024 * 1024
}

/**
 * Makes a reader at the first byte of a main channel.
 *
 * **Details**
 *
 * Total: any bytes give events or a finding. Time and memory follow the bytes that have arrived, not the lengths in
 * them. Memory is `bufferSize`, or the size of one record or early section.
 *
 * Codes of category `protocol`: `mapped-ram-unexpected`, `block-list-duplicated`, `flush-unexpected`, `xbzrle-corrupt`,
 * `early-sections-exceeded` and all that begin with `record-`. Others have the same meaning as in a file; `stream-cut`
 * is the end of the connection.
 *
 * **Gotchas**
 *
 * The end of an early section is found by its footer, because the description with its size comes last.
 *
 * **Example** (The beginning of a stream, as it arrives)
 *
 * ```ts
 * import { SocketSections, SocketStream } from "effect-multifd/format"
 *
 * const reader = SocketStream.make()
 * const bytes = SocketSections.encodeHead({ configuration: { machine: "pc-i440fx-10.0", capabilities: [] } })
 * reader.space().set(bytes)
 * reader.filled(bytes.length)
 * reader.next() // => undefined: the byte that ends the configuration has not arrived
 * ```
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const make = (
  options: {
    /** Bytes in a page, unless the configuration gives the size. Default 4096. */
    readonly pageSize?: number | undefined
    /** Most bytes per read. Default 512 KiB. */
    readonly bufferSize?: number | undefined
    readonly limits?: { readonly [Name in keyof Limits]?: number | undefined } | undefined
  } = {}
): Reader => {
  const { bufferSize = 512 * 1024, limits = {}, pageSize = 4096 } = options
  const { maxBlocks = defaults.maxBlocks, maxHeld = defaults.maxHeld, maxRam = defaults.maxRam } = limits
  return new SocketReader({ pageSize, bufferSize, limits: { maxBlocks, maxHeld, maxRam } })
}
