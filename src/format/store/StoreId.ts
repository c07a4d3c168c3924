/**
 * The ids of a snapshot store: snapshots, writers, keys, the repository itself.
 *
 * ```text
 *    0  48 bits   milliseconds since 1970, so that ids sort by time
 *   48  80 bits   random, or derived from something that must give the same id again
 *
 *   as text: 26 characters of Crockford's base32 in lower case, the first of which holds three bits
 * ```
 *
 * @since 0.1.0
 */
import { Buffer } from "node:buffer"
import { randomBytes } from "node:crypto"

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"

/**
 * Bytes of an id.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const BYTES: number = 16

/**
 * Characters of an id as text.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const LENGTH: number = 26

/**
 * The form of an id as text.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const pattern: RegExp = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/

/**
 * An id as text: 26 characters.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const fromBytes = (bytes: Uint8Array): string => {
  let value = BigInt(`0x${Buffer.from(bytes.buffer, bytes.byteOffset, BYTES).toString("hex")}`)
  let text = ""
  for (let at = 0; at < LENGTH; at++) {
    text = ALPHABET.charAt(Number(value & 31n)) + text
    value >>= 5n
  }
  return text
}

/**
 * The 16 bytes of an id; `undefined` for text that is not an id.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const toBytes = (text: string): Uint8Array | undefined => {
  if (!pattern.test(text)) return undefined
  let value = 0n
  for (const character of text) value = (value << 5n) | BigInt(ALPHABET.indexOf(character))
  return new Uint8Array(Buffer.from(value.toString(16).padStart(2 * BYTES, "0"), "hex"))
}

/**
 * The id of a moment, in milliseconds since 1970, and ten further bytes.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const make = (milliseconds: number, own: Uint8Array = randomBytes(10)): string => {
  const bytes = Buffer.alloc(BYTES)
  bytes.writeUIntBE(milliseconds, 0, 6)
  bytes.set(own.subarray(0, 10), 6)
  return fromBytes(bytes)
}

/**
 * An id without a moment: 16 random bytes.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const random = (): string => fromBytes(randomBytes(BYTES))

/**
 * The moment of an id, in milliseconds since 1970.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const timeOf = (id: string): number => {
  const bytes = toBytes(id)
  return bytes === undefined ? Number.NaN : Buffer.from(bytes).readUIntBE(0, 6)
}
