/**
 * The mapped-ram extension: the offsets of a block's pages in a file.
 *
 * Each entry of the block list is followed by a header of 28 bytes, packed, big-endian. Both offsets count from the
 * start of the file, regardless of where the stream begins:
 *
 * ```text
 *    0  u32  version         1 (0 is read as well)
 *    4  u64  page_size       the target's page size, 4096 on x86
 *   12  u64  bitmap_offset   of the file bitmap
 *   20  u64  pages_offset    of page 0, a multiple of page_size
 * ```
 *
 * QEMU places the bitmap directly after the header, and the page region at the next MiB of the file. The stream
 * continues directly after the region:
 *
 * ```text
 *   … entry │ header │ bitmap │ padding │ page region, used_length │ next entry …
 *                    ▲                  ▲ pages_offset             ▲
 *                    bitmap_offset      a multiple of 1 MiB        pages_offset + used_length
 * ```
 *
 * The bitmap has one bit per page, in 64-bit words in the byte order of the host, which is little-endian on all
 * supported hosts: page i is bit `i & 7` of byte `i >> 3`.
 *
 * @since 0.1.0
 */
import type * as Result from "effect/Result"
import type { Shape } from "../../ram/RamBlock.ts"
import type { Finding } from "../Finding.ts"
import { ByteWriter } from "../internal/byteWriter.ts"
import { type Cursor, decodeWith, type Steps } from "../internal/cursor.ts"
import type { Decoded } from "../stream/MigrationStream.ts"

/**
 * Bytes of a header.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const HEADER_BYTES: number = 28

/**
 * Offset of the page size in a header.
 *
 * @internal
 */
export const PAGE_SIZE_AT = 4

/**
 * Offset of the bitmap's position in a header.
 *
 * @internal
 */
export const BITMAP_OFFSET_AT = 12

/**
 * Offset of the pages' position in a header.
 *
 * @internal
 */
export const PAGES_OFFSET_AT = 20

/**
 * The version that we write. Version 0 is read the same way.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const HEADER_VERSION: number = 1

/**
 * The alignment of page regions in the file, 1 MiB, counted from the start of the file.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const REGION_ALIGNMENT: number = 1024 * 1024

/**
 * A mapped-ram header.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Header {
  readonly version: number
  /** Bytes. */
  readonly pageSize: number
  /** Absolute file offset of the bitmap. */
  readonly bitmapOffset: number
  /** Absolute file offset of page 0. */
  readonly pagesOffset: number
}

/**
 * Encodes a header, 28 bytes.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeHeader = (header: Header): Uint8Array =>
  new ByteWriter().u32(header.version).u64(header.pageSize).u64(header.bitmapOffset).u64(header.pagesOffset).finish()

/**
 * Reads a header at `position`. Accepts any numbers below 2^53, because their validity depends on the block. Fails with
 * `stream-cut` or `number-too-large`.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decodeHeader = (bytes: Uint8Array, position = 0): Result.Result<Decoded<Header>, Finding> =>
  decodeWith(bytes, position, readHeader)

/**
 * The steps of {@link decodeHeader}, for a parser in progress.
 *
 * @internal
 */
export function* readHeader(cursor: Cursor): Steps<Header> {
  const version = yield* cursor.u32("the version of a mapped-ram header")
  const pageSize = yield* cursor.u64("the page size of a mapped-ram header")
  const bitmapOffset = yield* cursor.u64("the offset of a file bitmap")
  const pagesOffset = yield* cursor.u64("the offset of a page region")
  return { version, pageSize, bitmapOffset, pagesOffset }
}

/**
 * Bytes of the bitmap of a block: whole 64-bit words.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const bitmapLength = (shape: Shape): number => 8 * Math.ceil(shape.usedLength / shape.pageSize / 64)

/**
 * The offsets at which QEMU places the bitmap and the pages of a block whose header ends at `headerEnd`.
 *
 * **Example** (QEMU's first block of 32 MiB)
 *
 * ```ts
 * import { MappedRam } from "effect-multifd/format"
 *
 * MappedRam.layout(0x89, { idstr: "m", usedLength: 0x2000000, pageSize: 4096 })
 * // => { version: 1, pageSize: 4096, bitmapOffset: 0x89, pagesOffset: 0x100000 }
 * ```
 *
 * @stability unstable
 * @category layout
 * @since 0.1.0
 */
export const layout = (headerEnd: number, shape: Shape): Header => layoutWithRoom(headerEnd, shape, 0)

/**
 * The same with at least `room` bytes between the bitmap and the pages.
 *
 * @internal
 */
export const layoutWithRoom = (headerEnd: number, shape: Shape, room: number): Header => ({
  version: HEADER_VERSION,
  pageSize: shape.pageSize,
  bitmapOffset: headerEnd,
  pagesOffset: Math.ceil((headerEnd + bitmapLength(shape) + room) / REGION_ALIGNMENT) * REGION_ALIGNMENT
})
