import type { Shape } from "../../../ram/RamBlock.ts"
import * as Finding from "../../Finding.ts"
import type { DecodeOptions } from "./multifdPacketModel.ts"
import { type Fields, getName, showName } from "./packetFields.ts"

/** The offsets of the fields in a RAM packet. @internal */
export const At = {
  flags: 8,
  capacity: 12,
  normal: 16,
  payload: 20,
  number: 24,
  zero: 32,
  reserved: 36,
  name: 64,
  offsets: 320
} as const

/** @internal */
export const PacketFlag = { sync: 0x01, method: 0x3e, deviceState: 0x40 } as const

/** @internal */
export const MAX_DATA_BYTES = 512 * 1024

/** @internal */
export const MAX_PAYLOAD_BYTES = 1024 * 1024

/** @internal */
export const pageCapacity = (pageSize: number): number => Math.floor(MAX_DATA_BYTES / pageSize)

/** @internal */
export const checkFlags = ({ position, view }: Fields): Finding.Finding | undefined => {
  const flags = view.getUint32(At.flags)
  if ((flags & ~(PacketFlag.sync | PacketFlag.method)) === 0) return undefined
  const expected = "SYNC and a compression, or neither"
  return Finding.make({ code: "packet-flags-unknown", offset: position + At.flags, expected, found: showFlags(flags) })
}

const showFlags = (flags: number): string => `flags 0x${flags.toString(16)}`

/** @internal */
export const checkCounts = ({ position, view }: Fields, pageSize: number): Finding.Finding | undefined => {
  const [capacity, normal, zero] = [At.capacity, At.normal, At.zero].map((at) => view.getUint32(at)) as Counts
  const exceeded = (code: Finding.FindingCode, at: number, limit: number, count: number) =>
    Finding.make({ code, offset: position + at, expected: `at most ${limit} pages`, found: `${count} pages` })
  const limit = pageCapacity(pageSize)
  if (capacity > limit) return exceeded("packet-pages-exceeded", At.capacity, limit, capacity)
  if (normal > capacity) return exceeded("packet-normal-exceeded", At.normal, capacity, normal)
  if (zero > capacity - normal) return exceeded("packet-zero-exceeded", At.zero, capacity - normal, zero)
  return undefined
}

type Counts = [capacity: number, normal: number, zero: number]

/** `true` if the packet has no pages: a SYNC, or in versions before 9.0 a remnant after one. */
const isEmpty = ({ view }: Fields): boolean => view.getUint32(At.normal) + view.getUint32(At.zero) === 0

/**
 * A packet without pages needs no method: the bits are clear, or in old versions possibly the agreed ones.
 *
 * @internal
 */
export const checkMethod = (fields: Fields, { method = 0 }: DecodeOptions): Finding.Finding | undefined => {
  const { position, view } = fields
  const given = view.getUint32(At.flags) & PacketFlag.method
  if (given === method || (given === 0 && isEmpty(fields))) return undefined
  const [expected, found] = [showFlags(method), showFlags(given)]
  return Finding.make({ code: "packet-method-mismatch", offset: position + At.flags, expected, found })
}

/**
 * Bytes after the header. Before 8.2, packets without pages hold the length of the packet before them.
 *
 * @internal
 */
export const payloadLength = (fields: Fields): number => (isEmpty(fields) ? 0 : fields.view.getUint32(At.payload))

/** @internal */
export const checkPayload = (fields: Fields, options: DecodeOptions): Finding.Finding | undefined => {
  const { position, view } = fields
  const { maxPayload = MAX_PAYLOAD_BYTES, method = 0, pageSize } = options
  const length = payloadLength(fields)
  const normal = view.getUint32(At.normal)
  const offset = position + At.payload
  const found = `${length} bytes`
  if (method === 0 || normal === 0) {
    if (length === normal * pageSize) return undefined
    return Finding.make({ code: "packet-payload-wrong", offset, expected: `${normal * pageSize} bytes`, found })
  }
  if (length === 0) return Finding.make({ code: "packet-payload-wrong", offset, expected: "compressed pages", found })
  if (length <= maxPayload) return undefined
  return Finding.make({ code: "packet-payload-exceeded", offset, expected: `at most ${maxPayload} bytes`, found })
}

/** Old versions leave the name of the last block in a packet without pages, where it has no meaning. @internal */
export const readName = (fields: Fields): string | undefined =>
  isEmpty(fields) ? "" : getName(fields, At.name) || undefined

/** @internal */
export const invalidName = (fields: Fields): Finding.Finding =>
  Finding.make({
    code: "packet-name-invalid",
    offset: fields.position + At.name,
    expected: "1 to 255 bytes of UTF-8 and a zero byte",
    found: showName(fields, At.name)
  })

/** @internal */
export const checkOffsets = (
  offsets: ArrayLike<number>,
  shape: Shape,
  position: number
): Finding.Finding | undefined => {
  const last = shape.usedLength - shape.pageSize
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i] ?? 0
    if (offset > last || offset % shape.pageSize !== 0) return wrongOffset(offset, shape, position + 8 * i)
  }
  return undefined
}

const wrongOffset = (value: number, { idstr, pageSize, usedLength }: Shape, offset: number): Finding.Finding => {
  const found = String(value)
  return value > usedLength - pageSize
    ? Finding.make({
        code: "packet-offset-out-of-range",
        offset,
        block: idstr,
        expected: `an offset up to ${usedLength - pageSize}`,
        found
      })
    : Finding.make({
        code: "packet-offset-misaligned",
        offset,
        block: idstr,
        expected: `a multiple of ${pageSize}`,
        found
      })
}
