/**
 * The UUID of a guest: 16 bytes on a channel, five groups of hexadecimal digits as text.
 *
 * @since 0.1.0
 */
import { Buffer } from "node:buffer"

const TEXT = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const GROUPS = /^(.{8})(.{4})(.{4})(.{4})(.{12})$/

/**
 * Formats a UUID in lower case.
 *
 * @stability stable
 * @category encoding
 * @since 0.1.0
 */
export const format = (uuid: Uint8Array): string => Buffer.from(uuid).toString("hex").replace(GROUPS, "$1-$2-$3-$4-$5")

/**
 * Parses a UUID into its 16 bytes, in the order of the text. `undefined`: the text is not a UUID.
 *
 * **Example** (Round trip)
 *
 * ```ts
 * import { Uuid } from "effect-multifd"
 *
 * const bytes = Uuid.parse("00112233-4455-6677-8899-AABBCCDDEEFF")
 * if (bytes !== undefined) Uuid.format(bytes) // => "00112233-4455-6677-8899-aabbccddeeff"
 * ```
 *
 * @stability stable
 * @category decoding
 * @since 0.1.0
 */
export const parse = (text: string): Uint8Array | undefined =>
  TEXT.test(text) ? new Uint8Array(Buffer.from(text.replaceAll("-", ""), "hex")) : undefined

/**
 * `true` for the UUID of a guest that has none: all zeros.
 *
 * @stability stable
 * @category guards
 * @since 0.1.0
 */
export const isNone = (uuid: Uint8Array): boolean => uuid.every((byte) => byte === 0)
