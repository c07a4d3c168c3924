import { Buffer } from "node:buffer"

/** Bytes as people read them. Only printable ASCII goes to the terminal, because memory can hold anything. */

const ROW_BYTES = 16

const ascii = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("")

const rowOf = (bytes: Uint8Array, offset: number): string => {
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))
  const left = digits.slice(0, ROW_BYTES / 2).join(" ")
  const right = digits.slice(ROW_BYTES / 2).join(" ")
  const text = `${left}  ${right}`.padEnd(3 * ROW_BYTES)
  return `${offset.toString(16).padStart(10, "0")}  ${text}  |${ascii(bytes)}|`
}

/**
 * Rows of 16 bytes: the offset, the bytes in hexadecimal, and their printable characters.
 *
 * @internal
 */
export const rows = (bytes: Uint8Array, offset: number): ReadonlyArray<string> =>
  Array.from({ length: Math.ceil(bytes.length / ROW_BYTES) }, (_, row) =>
    rowOf(bytes.subarray(row * ROW_BYTES, (row + 1) * ROW_BYTES), offset + row * ROW_BYTES)
  )

/**
 * The bytes in hexadecimal digits, without spaces.
 *
 * @internal
 */
export const digits = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex")
