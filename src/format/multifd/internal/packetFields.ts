import { Buffer } from "node:buffer"
import * as Invariant from "../../../ram/Invariant.ts"
import * as Finding from "../../Finding.ts"
import { decodeText } from "../../internal/cursor.ts"

/** Begins every packet on a multifd channel. @internal */
export const PACKET_MAGIC = 0x11223344

/** @internal */
export const PACKET_VERSION = 1

/** Bytes of the name of a block or a device, padded with zeros. @internal */
export const NAME_BYTES = 256

/** A packet of fixed layout in memory, and its position on the connection. @internal */
export interface Fields {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly position: number
}

/** @internal */
export const fieldsOf = (bytes: Uint8Array, position: number): Fields => ({
  bytes,
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  position
})

/** A number of 64 bits, inexact above 2^53. @internal */
export const getU64 = (view: DataView, at: number): number => view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4)

/** A number below 2^53. @internal */
export const setU64 = (view: DataView, at: number, value: number): void => {
  view.setUint32(at, Math.floor(value / 2 ** 32))
  view.setUint32(at + 4, value % 2 ** 32)
}

/** Writes the start of every packet. @internal */
export const setMagic = (view: DataView): void => {
  view.setUint32(0, PACKET_MAGIC)
  view.setUint32(4, PACKET_VERSION)
}

const hexWord = (value: number): string => value.toString(16).padStart(8, "0")

/** Checks that a packet is complete and begins correctly. @internal */
export const checkMagic = (
  { bytes, position, view }: Fields,
  length: number,
  what: string
): Finding.Finding | undefined => {
  if (bytes.length < length) {
    const [expected, found] = [`${what}, ${length} bytes`, `${bytes.length} bytes`]
    return Finding.make({ code: "stream-cut", offset: position, expected, found })
  }
  const magic = view.getUint32(0)
  if (magic !== PACKET_MAGIC) {
    const [expected, found] = [`${hexWord(PACKET_MAGIC)}, the beginning of ${what}`, hexWord(magic)]
    return Finding.make({ code: "packet-magic-wrong", offset: position, expected, found })
  }
  const version = view.getUint32(4)
  if (version !== PACKET_VERSION) {
    const [expected, found] = [`version ${PACKET_VERSION} of ${what}`, `version ${version}`]
    return Finding.make({ code: "packet-version-unsupported", offset: position + 4, expected, found })
  }
  return undefined
}

/** Checks that reserved bytes are zero. A sender that uses them speaks an unknown version of the protocol. @internal */
export const checkReserved = ({ bytes, position }: Fields, from: number, to: number): Finding.Finding | undefined => {
  for (let at = from; at < to; at++) {
    if (bytes[at] !== 0) {
      const found = `byte 0x${Invariant.defined(bytes[at], "a byte that differs is inside the field").toString(16).padStart(2, "0")}`
      return Finding.make({ code: "packet-reserved-set", offset: position + at, expected: "zero", found })
    }
  }
  return undefined
}

/** The name in a field of 256 bytes; `undefined` if it is not text, or if no zero byte ends it. @internal */
export const getName = ({ bytes }: Fields, at: number): string | undefined => {
  const field = bytes.subarray(at, at + NAME_BYTES)
  const end = field.indexOf(0)
  return end < 0 ? undefined : decodeText(field.subarray(0, end))
}

/** Enough of a name to recognise it. @internal */
export const showName = ({ bytes }: Fields, at: number): string =>
  Buffer.from(bytes.subarray(at, at + NAME_BYTES))
    .toString("hex")
    .replace(/(00)+$/, "") || "nothing"

/** @internal */
export const setName = (bytes: Uint8Array, at: number, name: string): void => {
  const { read, written } = utf8.encodeInto(name, bytes.subarray(at, at + NAME_BYTES - 1))
  if (read < name.length) throw new RangeError(`a name does not fit ${NAME_BYTES - 1} bytes: ${name}`)
  bytes.fill(0, at + written, at + NAME_BYTES)
}

const utf8 = new TextEncoder()
