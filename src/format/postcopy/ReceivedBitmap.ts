/**
 * The pages of a block that a destination has: its answer to RECV_BITMAP, with which a migration continues after a
 * broken connection.
 *
 * ```text
 *   return path   0005 u16 n str8 block         header and name: `ReturnPath`
 *                 u64 m                         behind the message, outside its length; multiple of 8
 *                 m bytes                       bit i of byte i/8: target page i (little-endian, as in mapped-ram)
 *                 01 23 45 67 89 ab cd ef
 * ```
 *
 * Source of the format: recoveries between two QEMUs, 10.0.2 and 11.1.3, through a relay.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as PageBitmap from "../../ram/PageBitmap.ts"
import * as RamBlock from "../../ram/RamBlock.ts"
import * as Finding from "../Finding.ts"
import { ByteWriter } from "../internal/byteWriter.ts"
import { view } from "../internal/cursor.ts"

const LENGTH_BYTES = 8
const END_MARK = 0x0123456789abcdefn

/**
 * Bytes after the message for a block, including the marks at both ends.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const lengthOf = (block: RamBlock.Shape): number =>
  LENGTH_BYTES + PageBitmap.byteLength(RamBlock.pageCount(block)) + LENGTH_BYTES

/**
 * Encodes the data after the message.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encode = (received: PageBitmap.PageBitmap): Uint8Array => {
  const end = new Uint8Array(LENGTH_BYTES)
  view(end).setBigUint64(0, END_MARK)
  return new ByteWriter().u64(received.bytes.length).append(received.bytes).append(end).finish()
}

const wrong = (block: RamBlock.Shape, offset: number, expected: string, found: string) =>
  Result.fail(Finding.make({ code: "received-bitmap-wrong", offset, block: block.idstr, expected, found }))

/**
 * Reads the data after the message for a block, `lengthOf(block)` bytes; the bitmap is a copy. Fails with
 * `received-bitmap-wrong`, or with `stream-cut` for fewer bytes.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decode = (
  block: RamBlock.Shape,
  bytes: Uint8Array,
  position = 0
): Result.Result<PageBitmap.PageBitmap, Finding.Finding> => {
  const length = lengthOf(block)
  if (bytes.length < length) {
    const [expected, found] = [`a bitmap, ${length} bytes`, `${bytes.length} bytes`]
    return Result.fail(Finding.make({ code: "stream-cut", offset: position, expected, found }))
  }
  const bitmapBytes = length - 2 * LENGTH_BYTES
  const given = view(bytes).getBigUint64(0)
  if (given !== BigInt(bitmapBytes)) return wrong(block, position, `${bitmapBytes} bytes`, `${given} bytes`)
  const end = LENGTH_BYTES + bitmapBytes
  if (view(bytes).getBigUint64(end) !== END_MARK) {
    return wrong(block, position + end, "its end mark", "something else")
  }
  return Result.succeed(PageBitmap.fromBytes(bytes.slice(LENGTH_BYTES, end), RamBlock.pageCount(block)))
}
