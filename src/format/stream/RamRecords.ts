/**
 * Pages as records on the main channel: a sender's output without multifd, and its zero pages in the mode `legacy`.
 *
 * ```text
 *   u64 address + 02          [str8 block]  00                          ZERO
 *   u64 address + 08          [str8 block]  one page                    PAGE
 *   u64 address + 40          [str8 block]  01  u16 length  changes     XBZRLE
 *               + 20 CONTINUE: no name, the block of the record before, in this section or an earlier one
 * ```
 *
 * @since 0.1.0
 */
import * as Invariant from "../../ram/Invariant.ts"
import type { Shape } from "../../ram/RamBlock.ts"
import { ByteWriter } from "../internal/byteWriter.ts"
import { RamFlag } from "../internal/constants.ts"
import { fieldsOf, setU64 } from "../multifd/internal/packetFields.ts"
import type { Extent, ZeroExtent } from "./SocketStream.ts"
import * as Xbzrle from "./Xbzrle.ts"

/**
 * Encodes the records of one main channel. It remembers the block of the last record, so all of its output must be
 * written, in order.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Encoder {
  /** Encodes a record for each page of these extents, in one piece of memory. */
  readonly zeros: (block: Shape, extents: ReadonlyArray<ZeroExtent>) => Uint8Array
  /** Encodes pages as parts, in order: the head of each page, and a view of the page. Extents are whole pages. */
  readonly pages: (block: Shape, extents: ReadonlyArray<Extent>) => ReadonlyArray<Uint8Array>
  /**
   * Encodes a record for each extent, as parts in order: the extent is a page, and its bytes are the changes
   * (`Xbzrle`).
   */
  readonly changes: (block: Shape, extents: ReadonlyArray<Extent>) => ReadonlyArray<Uint8Array>
}

const NO_BYTES = new Uint8Array(0)

/**
 * Makes an encoder for a main channel on which no block was named yet.
 *
 * **Example** (Two zero pages of the block "m")
 *
 * ```ts
 * import { RamRecords } from "effect-multifd/format"
 *
 * const block = { idstr: "m", usedLength: 0x2000000, pageSize: 4096 }
 * RamRecords.make().zeros(block, [{ offset: 0, length: 8192 }])
 * // => 0000000000000002 01 6d 00   0000000000001022 00
 * ```
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const make = (): Encoder => {
  let last: string | undefined

  /** The heads of the records, each with `payload` bytes at its end for the kind of record. */
  const heads = (flag: number, block: Shape, offsets: ReadonlyArray<number>, payload: number): Heads => {
    const name = block.idstr === last || offsets.length === 0 ? NO_BYTES : new ByteWriter().str8(block.idstr).finish()
    if (offsets.length > 0) last = block.idstr
    const all = new Uint8Array(offsets.length * (8 + payload) + name.length)
    const { view } = fieldsOf(all, 0)
    let at = 0
    const each = offsets.map((offset, i) => {
      const own = i === 0 ? name : NO_BYTES
      setU64(view, at, offset + flag + (own.length === 0 ? RamFlag.continue : 0))
      all.set(own, at + 8)
      return all.subarray(at, (at += 8 + own.length + payload))
    })
    return { all, each }
  }

  return {
    zeros: (block, extents) => {
      const offsets = extents.flatMap(({ length, offset }) => pagesFrom(offset, length, block.pageSize))
      return heads(RamFlag.zero, block, offsets, 1).all
    },
    pages: (block, extents) => {
      const { pageSize } = block
      const pages = extents.flatMap(({ bytes }) =>
        pagesFrom(0, bytes.length, pageSize).map((at) => bytes.subarray(at, at + pageSize))
      )
      const offsets = extents.flatMap(({ bytes, offset }) => pagesFrom(offset, bytes.length, pageSize))
      return heads(RamFlag.page, block, offsets, 0).each.flatMap((head, i) => [
        head,
        Invariant.defined(pages[i], "each page has a head")
      ])
    },
    changes: (block, extents) => {
      const offsets = extents.map(({ offset }) => offset)
      const { each } = heads(RamFlag.xbzrle, block, offsets, CHANGES_TAIL)
      return each.flatMap((head, i) => {
        const { bytes } = Invariant.defined(extents[i], "each extent has a head")
        const { view } = fieldsOf(head, 0)
        head[head.length - CHANGES_TAIL] = Xbzrle.ENCODING
        view.setUint16(head.length - 2, bytes.length)
        return [head, bytes]
      })
    }
  }
}

/** Bytes for the encoding and the length of the changes. */
const CHANGES_TAIL = 3

interface Heads {
  /** All heads, one after another. */
  readonly all: Uint8Array
  /** Views of each head. */
  readonly each: ReadonlyArray<Uint8Array>
}

const pagesFrom = (offset: number, length: number, pageSize: number): Array<number> =>
  Array.from({ length: length / pageSize }, (_, i) => offset + i * pageSize)
