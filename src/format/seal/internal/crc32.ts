import { createRequire } from "node:module"
import * as NodeZlib from "node:zlib"

/** CRC-32 of bytes; with the `value` of others, of those and these behind them. */
type Crc32 = (bytes: Uint8Array, value?: number) => number

/** Optional: a program that does without native code, or runs where the package has none, has zlib's. */
const PACKAGE = "@node-rs/crc32"

/** What every CRC-32 of IEEE 802.3 makes of the digits from 1 to 9. */
const DIGITS = new TextEncoder().encode("123456789")
const CRC_OF_DIGITS = 0xcbf4_3926

const isRight = (crc32: Crc32): boolean =>
  crc32(DIGITS) === CRC_OF_DIGITS && crc32(DIGITS.subarray(4), crc32(DIGITS.subarray(0, 4))) === CRC_OF_DIGITS

/**
 * The fastest that `load` finds: on x86-64, Node's own has tables where others have the processor's carry-less product.
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
 * The CRC-32 of zlib, whoever computes it; which is decided when it is needed for the first time.
 *
 * @internal
 */
export const crc32: Crc32 = (bytes, value) => (chosen ??= choose(createRequire(import.meta.url)))(bytes, value)
