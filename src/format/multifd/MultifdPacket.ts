/**
 * The packets of a multifd channel: up to 512 KiB of pages of one RAM block, or a SYNC.
 *
 * All numbers are unsigned and big-endian. `ps` is the page size, and `pc = 512 KiB / ps` the most pages in a packet:
 *
 * ```text
 *      0  u32      magic         11223344
 *      4  u32      version       1
 *      8  u32      flags         01 SYNC, 3e compression, 40 device state (another layout: DeviceStatePacket)
 *     12  u32      pages_alloc   room for pages, at most pc
 *     16  u32      normal_pages  pages whose bytes are in the payload
 *     20  u32      payload       bytes that follow the header
 *     24  u64      packet_num    one counter for all channels
 *     32  u32      zero_pages    pages that are all zeros
 *     36  28       reserved      0
 *     64  256      name of the block, padded with zeros
 *    320  u64 × pc offsets in the block: normal pages, then zero pages, then nothing that matters
 *    320 + 8·pc    payload: the normal pages, one behind the other or compressed
 * ```
 *
 * Before QEMU 9.0, bytes 32 to 63 were reserved and zero: such packets read as packets without zero pages.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type { Shape } from "../../ram/RamBlock.ts"
import * as Finding from "../Finding.ts"
import {
  checkMagic,
  checkReserved,
  type Fields,
  fieldsOf,
  getU64,
  setMagic,
  setName,
  setU64
} from "./internal/packetFields.ts"
import * as ramPacket from "./internal/ramPacket.ts"
import type { DecodeOptions } from "./internal/multifdPacketModel.ts"

export type { DecodeOptions } from "./internal/multifdPacketModel.ts"

const { At } = ramPacket

/**
 * Bytes at the start of every packet of any kind: magic, version and flags.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const PROLOGUE_LENGTH: number = 12

/**
 * Most bytes of pages that a packet represents: 512 KiB.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const MAX_DATA_BYTES: number = ramPacket.MAX_DATA_BYTES

/**
 * Most bytes of payload, unless another limit was agreed: 1 MiB, the size of QEMU's own buffer. In the worst case of
 * any method, 512 KiB of pages compress to far less.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const MAX_PAYLOAD_BYTES: number = ramPacket.MAX_PAYLOAD_BYTES

/**
 * The flags of a packet; the bits of `method` name the compression.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const Flag = ramPacket.PacketFlag

/**
 * Most pages of `pageSize` bytes in a packet.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const pageCapacity: (pageSize: number) => number = ramPacket.pageCapacity

/**
 * Bytes of the header of a RAM packet: 1344 for pages of 4 KiB.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const headerLength = (pageSize: number): number => At.offsets + 8 * pageCapacity(pageSize)

/**
 * The start of a packet, decoded from its first 12 bytes.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Prologue {
  /** The kind of the rest: a RAM packet (this module) or device state (`DeviceStatePacket`). */
  readonly kind: "ram" | "device-state"
  readonly flags: number
}

/**
 * A RAM packet without its payload.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface RamPacket {
  /** `true` if the channel must wait, after these pages, for the main channel's mark. */
  readonly sync: boolean
  /** The bits of the compression: 0x00 none, 0x02 zlib, 0x04 zstd, 0x08 qpl, 0x10 uadk, 0x20 qatzip. */
  readonly method: number
  /** Counts the packets of all channels. Inexact above 2^53. */
  readonly packetNum: number
  /** The block of the pages; empty in a packet without pages. */
  readonly idstr: string
  /** Byte offsets in the block of the pages in the payload, in the order of the payload. */
  readonly normal: ArrayLike<number>
  /** Byte offsets in the block of the pages that are all zeros. */
  readonly zero: ArrayLike<number>
  /** Bytes after the header. */
  readonly payloadLength: number
}

/**
 * Decodes the kind of a packet from its first 12 bytes. Fails with `packet-magic-wrong`, `packet-version-unsupported`,
 * or `stream-cut` for fewer bytes.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decodePrologue = (bytes: Uint8Array, position = 0): Result.Result<Prologue, Finding.Finding> => {
  const fields = fieldsOf(bytes, position)
  const finding = checkMagic(fields, PROLOGUE_LENGTH, "a packet")
  if (finding !== undefined) return Result.fail(finding)
  const flags = fields.view.getUint32(At.flags)
  return Result.succeed({ kind: (flags & Flag.deviceState) === 0 ? "ram" : "device-state", flags })
}

/**
 * Reads the header of a RAM packet at the start of `header`, and checks everything that can be checked without the
 * blocks. After that its numbers can be trusted: a payload of this length may be read, and it represents that many
 * pages.
 *
 * **Details**
 *
 * Codes: those of {@link decodePrologue}; `packet-flags-unknown`, `packet-reserved-set`, `packet-pages-exceeded`,
 * `packet-normal-exceeded`, `packet-zero-exceeded`, `packet-method-mismatch`, `packet-payload-wrong`,
 * `packet-payload-exceeded` and `packet-name-invalid`. QEMU ignores unknown flags, reserved bytes and the length of an
 * uncompressed payload. Here they are errors, because they indicate a sender with another meaning. The length of a
 * packet without pages is ignored: before 8.2 it is that of the packet before.
 *
 * @see {@link checkPages} for what depends on the block
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decodeRam = (header: Uint8Array, options: DecodeOptions): Result.Result<RamPacket, Finding.Finding> => {
  const { pageSize, position = 0 } = options
  const fields = fieldsOf(header, position)
  const finding =
    checkMagic(fields, headerLength(pageSize), "a RAM packet") ??
    ramPacket.checkFlags(fields) ??
    checkReserved(fields, At.reserved, At.name) ??
    ramPacket.checkCounts(fields, pageSize) ??
    ramPacket.checkMethod(fields, options) ??
    ramPacket.checkPayload(fields, options)
  if (finding !== undefined) return Result.fail(finding)
  const idstr = ramPacket.readName(fields)
  return idstr === undefined ? Result.fail(ramPacket.invalidName(fields)) : Result.succeed(readPacket(fields, idstr))
}

const readPacket = (fields: Fields, idstr: string): RamPacket => {
  const { view } = fields
  const flags = view.getUint32(At.flags)
  const normal = view.getUint32(At.normal)
  return {
    sync: (flags & Flag.sync) !== 0,
    method: flags & Flag.method,
    packetNum: getU64(view, At.number),
    idstr,
    normal: readOffsets(view, At.offsets, normal),
    zero: readOffsets(view, At.offsets + 8 * normal, view.getUint32(At.zero)),
    payloadLength: ramPacket.payloadLength(fields)
  }
}

/** Plain arrays: each typed array has memory outside of the heap, and its growth makes V8 collect the whole heap. */
const readOffsets = (view: DataView, at: number, count: number): ReadonlyArray<number> => {
  const offsets: Array<number> = []
  for (let i = 0; i < count; i++) offsets.push(getU64(view, at + 8 * i))
  return offsets
}

/**
 * Checks the offsets of a packet and returns the problem, if there is one: `packet-block-unknown` if there is no such
 * block, `packet-offset-out-of-range` or `packet-offset-misaligned` for the first page outside it or off a page
 * boundary. QEMU stores misaligned pages at their offset.
 *
 * @stability unstable
 * @category checks
 * @since 0.1.0
 */
export const checkPages = (packet: RamPacket, shape: Shape | undefined, position = 0): Finding.Finding | undefined => {
  const { idstr, normal, zero } = packet
  if (normal.length + zero.length === 0) return undefined
  if (shape === undefined) {
    const [expected, found] = ["an announced block", JSON.stringify(idstr)]
    return Finding.make({ code: "packet-block-unknown", offset: position + At.name, expected, found })
  }
  const at = position + At.offsets
  return ramPacket.checkOffsets(normal, shape, at) ?? ramPacket.checkOffsets(zero, shape, at + 8 * normal.length)
}

/**
 * Checks the number of a packet that follows number `previous` on the same channel: `packet-number-stale` if it is
 * lower. Old QEMUs use a number twice, but no QEMU goes back. QEMU does not check a peer's numbers.
 *
 * @stability unstable
 * @category checks
 * @since 0.1.0
 */
export const checkNumber = (packet: RamPacket, previous: number, position = 0): Finding.Finding | undefined => {
  if (packet.packetNum >= previous) return undefined
  const [expected, found] = [`a number of at least ${previous}`, String(packet.packetNum)]
  return Finding.make({ code: "packet-number-stale", offset: position + At.number, expected, found })
}

/**
 * Encodes the header of a RAM packet into `into` (at least {@link headerLength} bytes; the returned view is its first
 * part) or into new memory. The caller sends the payload.
 *
 * **Details**
 *
 * Numbers are not checked, because they are our own: at most {@link pageCapacity} pages, and a valid block name.
 *
 * **Example** (Two pages of 4 KiB with data, and one of zeros)
 *
 * ```ts
 * import { MultifdPacket } from "effect-multifd/format"
 *
 * const header = MultifdPacket.encodeRam(
 *   { sync: false, method: 0, packetNum: 8, idstr: "m", normal: [0, 4096], zero: [8192], payloadLength: 8192 },
 *   4096
 * )
 * header.length // => 1344
 * ```
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeRam = (packet: RamPacket, pageSize: number, into?: Uint8Array): Uint8Array => {
  const length = headerLength(pageSize)
  const bytes = into === undefined ? new Uint8Array(length) : into.subarray(0, length).fill(0)
  const { view } = fieldsOf(bytes, 0)
  const { idstr, method, normal, packetNum, payloadLength, sync, zero } = packet
  const hasPages = normal.length + zero.length > 0
  setMagic(view)
  view.setUint32(At.flags, method | (sync ? Flag.sync : 0))
  view.setUint32(At.capacity, hasPages ? pageCapacity(pageSize) : 0)
  view.setUint32(At.normal, normal.length)
  view.setUint32(At.payload, payloadLength)
  setU64(view, At.number, packetNum)
  view.setUint32(At.zero, zero.length)
  setName(bytes, At.name, idstr)
  setOffsets(view, At.offsets, normal)
  setOffsets(view, At.offsets + 8 * normal.length, zero)
  return bytes
}

const setOffsets = (view: DataView, at: number, offsets: ArrayLike<number>): void => {
  for (let i = 0; i < offsets.length; i++) setU64(view, at + 8 * i, offsets[i] ?? 0)
}

/**
 * Encodes a SYNC packet as QEMU 9.2 and later write it: only the number, in the length of a header.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeSync = (packetNum: number, pageSize: number, into?: Uint8Array): Uint8Array =>
  encodeRam({ sync: true, method: 0, packetNum, idstr: "", normal: [], zero: [], payloadLength: 0 }, pageSize, into)
