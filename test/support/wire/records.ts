/**
 * Pieces of a migration stream, written down as what they say. Right or wrong is for the test to choose: nothing is checked here, and
 * nothing of the library's encoders is used.
 */
import { concat, text } from "../bytes.ts"

const PAGE = 4096

const numbers = (bytes: 1 | 2 | 4 | 8) => (value: number | bigint) => {
  const buffer = Buffer.alloc(8)
  buffer.writeBigUInt64BE(BigInt(value))
  return new Uint8Array(buffer.subarray(8 - bytes))
}

/** Big-endian numbers. */
export const [u8, u16, u32, u64] = [numbers(1), numbers(2), numbers(4), numbers(8)]

/** A name behind a byte with its length; bytes for a name that is no text. */
export const named = (name: string | Uint8Array): Uint8Array => {
  const bytes = typeof name === "string" ? text(name) : name
  return concat(u8(bytes.length), bytes)
}

/** The flags of a record, as QEMU's documentation has them. */
const FLAGS = {
  FULL: 0x01,
  ZERO: 0x02,
  MEM_SIZE: 0x04,
  PAGE: 0x08,
  EOS: 0x10,
  CONTINUE: 0x20,
  XBZRLE: 0x40,
  HOOK: 0x80,
  MULTIFD_FLUSH: 0x200
} as const

export interface Record {
  readonly flags: ReadonlyArray<keyof typeof FLAGS>
  /** Of 4 KiB each. Default 0. */
  readonly page?: number
  /** In place of `page`, where it is between two or beyond all numbers. */
  readonly address?: number | bigint
  readonly block?: string | Uint8Array
  /** Behind the name of the block: a fill byte, a page, changes. */
  readonly data?: ReadonlyArray<number> | Uint8Array
}

/** A record of the section "ram". */
export const record = ({ address, block, data = [], flags, page = 0 }: Record): Uint8Array => {
  const bits = flags.reduce((sum, flag) => sum | BigInt(FLAGS[flag]), BigInt(address ?? page * PAGE))
  return concat(u64(bits), block === undefined ? new Uint8Array(0) : named(block), Uint8Array.from(data))
}

/** A command. */
export const command = (number: number, ...data: ReadonlyArray<Uint8Array>): Uint8Array => framed(u8(8), number, data)

/** A message on the return path, in its own length. */
export const message = (type: number, ...body: ReadonlyArray<Uint8Array>): Uint8Array =>
  framed(new Uint8Array(0), type, body)

const framed = (first: Uint8Array, number: number, data: ReadonlyArray<Uint8Array>): Uint8Array => {
  const body = concat(...data)
  return concat(first, u16(number), u16(body.length), body)
}
