import { createRequire } from "node:module"
import * as NodeZlib from "node:zlib"

/** CRC-32 of bytes; with a `value`, continues the CRC-32 of the bytes before them. */
type Crc32 = (bytes: Uint8Array, value?: number) => number

/** Optional. A program without native code, or on a platform without the package, uses zlib's CRC-32. */
const PACKAGE = "@node-rs/crc32"

/** Every CRC-32 of IEEE 802.3 has the same known value for the digits 1 to 9. */
const DIGITS = new TextEncoder().encode("123456789")
const CRC_OF_DIGITS = 0xcbf4_3926

const isRight = (crc32: Crc32): boolean =>
  crc32(DIGITS) === CRC_OF_DIGITS && crc32(DIGITS.subarray(4), crc32(DIGITS.subarray(0, 4))) === CRC_OF_DIGITS

/**
 * The fastest implementation that `load` finds. On x86-64, Node's own uses tables where others use the processor's
 * carry-less multiplication.
 *
 * @internal
 */
export const choose = (load: (name: string) => unknown): Crc32 => {
  try {
    const { crc32 } = load(PACKAGE) as { readonly crc32: Crc32 }
    return isRight(crc32) ? crc32 : NodeZlib.crc32
  } catch {
    return NodeZlib.crc32
  }
}

let chosen: Crc32 | undefined

/**
 * The CRC-32 of zlib; the implementation is chosen on first use.
 *
 * @internal
 */
export const crc32: Crc32 = (bytes, value) => (chosen ??= choose(createRequire(import.meta.url)))(bytes, value)
