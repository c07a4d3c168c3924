/**
 * The packets of a multifd channel: up to 512 KiB of pages of one RAM block, or a SYNC.
 *
 * All numbers are unsigned and big-endian. `ps` is the size of a page, and `pc = 512 KiB / ps` the most pages of a packet:
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
 * Before QEMU 9.0 the bytes 32 to 63 were reserved, and zero: such packets read as packets without zero pages.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import type { Shape } from "../ram/RamBlock.ts"
import * as Finding from "./Finding.ts"
import {
  checkMagic,
  checkReserved,
  type Fields,
  fieldsOf,
  getName,
  getU64,
  setMagic,
  setName,
  setU64,
  showName
} from "./internal/packetFields.ts"

/**
 * Bytes that every packet begins with, whatever its kind: magic, version and flags.
 *
 * @category constants
 * @since 0.1.0
 */
export const PROLOGUE_LENGTH: number = 12

/**
 * The most bytes of pages that a packet stands for: 512 KiB.
 *
 * @category constants
 * @since 0.1.0
 */
export const MAX_DATA_BYTES: number = 512 * 1024

/**
 * The most bytes of payload that are accepted where nothing else was agreed: 1 MiB, the size of QEMU's own buffer. What
 * 512 KiB of pages become in the worst case of any method is far less.
 *
 * @category constants
 * @since 0.1.0
 */
export const MAX_PAYLOAD_BYTES: number = 1024 * 1024

/**
 * The flags of a packet.
 *
 * @category constants
 * @since 0.1.0
 */
export const Flag = {
  sync: 0x01,
  /** The bits that name the compression. */
  method: 0x3e,
  deviceState: 0x40
} as const

/**
 * The most pages of `pageSize` bytes that a packet can have.
 *
 * @category getters
 * @since 0.1.0
 */
export const pageCapacity = (pageSize: number): number => Math.floor(MAX_DATA_BYTES / pageSize)

/**
 * Bytes of the header of a RAM packet: 1344 for pages of 4 KiB.
 *
 * @category getters
 * @since 0.1.0
 */
export const headerLength = (pageSize: number): number => OFFSETS_AT + 8 * pageCapacity(pageSize)

const FLAGS_AT = 8
const CAPACITY_AT = 12
const NORMAL_AT = 16
const PAYLOAD_AT = 20
const NUMBER_AT = 24
const ZERO_AT = 32
const RESERVED_AT = 36
const NAME_AT = 64
const OFFSETS_AT = 320

/**
 * What a packet is, by its first 12 bytes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Prologue {
  /** Whether a RAM packet (this module) or one of device state (`DeviceStatePacket`) goes on behind it. */
  readonly kind: "ram" | "device-state"
  readonly flags: number
}

/**
 * A RAM packet without its payload.
 *
 * @category models
 * @since 0.1.0
 */
export interface RamPacket {
  /** Whether the channel has to wait, behind these pages, for the main channel's mark. */
  readonly sync: boolean
  /** The bits of the compression: 0x00 none, 0x02 zlib, 0x04 zstd, 0x08 qpl, 0x10 uadk, 0x20 qatzip. */
  readonly method: number
  /** Counts the packets of all channels. Above 2^53 it is no longer exact. */
  readonly packetNum: number
  /** The block that the pages belong to; empty in a packet without pages. */
  readonly idstr: string
  /** Byte offsets in the block of the pages in the payload, in its order. */
  readonly normal: ArrayLike<number>
  /** Byte offsets in the block of pages that are all zeros. */
  readonly zero: ArrayLike<number>
  /** Bytes behind the header. */
  readonly payloadLength: number
}

/**
 * Tells the kind of a packet by its first 12 bytes. Fails with `packet-magic-wrong`, `packet-version-unsupported`, or
 * `stream-cut` where there are fewer bytes.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decodePrologue = (bytes: Uint8Array, position = 0): Result.Result<Prologue, Finding.Finding> => {
  const fields = fieldsOf(bytes, position)
  const finding = checkMagic(fields, PROLOGUE_LENGTH, "a packet")
  if (finding !== undefined) return Result.fail(finding)
  const flags = fields.view.getUint32(FLAGS_AT)
  return Result.succeed({ kind: (flags & Flag.deviceState) === 0 ? "ram" : "device-state", flags })
}

/**
 * What both sides agreed on, or what is known of the channel.
 *
 * @category models
 * @since 0.1.0
 */
export interface DecodeOptions {
  /** Bytes of a page, the same for all blocks. */
  readonly pageSize: number
  /** The flag of the method that both sides were set to. Default 0, no compression. */
  readonly method?: number | undefined
  /** Bytes of payload at most, with compression. Default {@link MAX_PAYLOAD_BYTES}. */
  readonly maxPayload?: number | undefined
  /** Where on the connection the packet began, for what is said of it. Default 0. */
  readonly position?: number | undefined
}

/**
 * Reads the header of a RAM packet, the first bytes of `header`, and checks all that can be checked without knowing the
 * blocks. Its numbers may be trusted then: a payload of this length may be read, and it stands for that many pages.
 *
 * **Details**
 *
 * Codes: those of {@link decodePrologue}; `packet-flags-unknown`, `packet-reserved-set`, `packet-pages-exceeded`,
 * `packet-normal-exceeded`, `packet-zero-exceeded`, `packet-method-mismatch`, `packet-payload-wrong`,
 * `packet-payload-exceeded` and `packet-name-invalid`. QEMU does not look at unknown flags, reserved bytes and the length
 * of an uncompressed payload; here they are errors, as they would be the sign of a sender that means something else.
 *
 * @see {@link checkPages} for what depends on the block
 * @category decoding
 * @since 0.1.0
 */
export const decodeRam = (header: Uint8Array, options: DecodeOptions): Result.Result<RamPacket, Finding.Finding> => {
  const { pageSize, position = 0 } = options
  const fields = fieldsOf(header, position)
  const finding =
    checkMagic(fields, headerLength(pageSize), "a RAM packet") ??
    checkFlags(fields) ??
    checkReserved(fields, RESERVED_AT, NAME_AT) ??
    checkCounts(fields, pageSize) ??
    checkMethod(fields, options) ??
    checkPayload(fields, options)
  if (finding !== undefined) return Result.fail(finding)
  const idstr = readName(fields)
  return idstr === undefined ? Result.fail(invalidName(fields)) : Result.succeed(readPacket(fields, idstr))
}

const checkFlags = ({ position, view }: Fields): Finding.Finding | undefined => {
  const flags = view.getUint32(FLAGS_AT)
  if ((flags & ~(Flag.sync | Flag.method)) === 0) return undefined
  const expected = "SYNC and a compression, or neither"
  return Finding.make({ code: "packet-flags-unknown", offset: position + FLAGS_AT, expected, found: showFlags(flags) })
}

const showFlags = (flags: number): string => `flags 0x${flags.toString(16)}`

const checkCounts = ({ position, view }: Fields, pageSize: number): Finding.Finding | undefined => {
  const [capacity, normal, zero] = [CAPACITY_AT, NORMAL_AT, ZERO_AT].map((at) => view.getUint32(at)) as Counts
  const exceeded = (code: Finding.FindingCode, at: number, limit: number, count: number) =>
    Finding.make({ code, offset: position + at, expected: `at most ${limit} pages`, found: `${count} pages` })
  const limit = pageCapacity(pageSize)
  if (capacity > limit) return exceeded("packet-pages-exceeded", CAPACITY_AT, limit, capacity)
  if (normal > capacity) return exceeded("packet-normal-exceeded", NORMAL_AT, capacity, normal)
  if (zero > capacity - normal) return exceeded("packet-zero-exceeded", ZERO_AT, capacity - normal, zero)
  return undefined
}

type Counts = [capacity: number, normal: number, zero: number]

/** A SYNC without pages has no use for a method, and says none, or in old versions perhaps the one that was agreed. */
const checkMethod = ({ position, view }: Fields, { method = 0 }: DecodeOptions): Finding.Finding | undefined => {
  const flags = view.getUint32(FLAGS_AT)
  const pages = view.getUint32(NORMAL_AT) + view.getUint32(ZERO_AT)
  const given = flags & Flag.method
  if (given === method || (given === 0 && pages === 0 && (flags & Flag.sync) !== 0)) return undefined
  const [expected, found] = [showFlags(method), showFlags(given)]
  return Finding.make({ code: "packet-method-mismatch", offset: position + FLAGS_AT, expected, found })
}

const checkPayload = ({ position, view }: Fields, options: DecodeOptions): Finding.Finding | undefined => {
  const { maxPayload = MAX_PAYLOAD_BYTES, method = 0, pageSize } = options
  const length = view.getUint32(PAYLOAD_AT)
  const normal = view.getUint32(NORMAL_AT)
  const offset = position + PAYLOAD_AT
  const found = `${length} bytes`
  if (method === 0 || normal === 0) {
    if (length === normal * pageSize) return undefined
    return Finding.make({ code: "packet-payload-wrong", offset, expected: `${normal * pageSize} bytes`, found })
  }
  if (length === 0) return Finding.make({ code: "packet-payload-wrong", offset, expected: "compressed pages", found })
  if (length <= maxPayload) return undefined
  return Finding.make({ code: "packet-payload-exceeded", offset, expected: `at most ${maxPayload} bytes`, found })
}

/** Old versions leave the name of the last block in a packet without pages, where it means nothing. */
const readName = (fields: Fields): string | undefined => {
  const pages = fields.view.getUint32(NORMAL_AT) + fields.view.getUint32(ZERO_AT)
  if (pages === 0) return ""
  return getName(fields, NAME_AT) || undefined
}

const invalidName = (fields: Fields): Finding.Finding =>
  Finding.make({
    code: "packet-name-invalid",
    offset: fields.position + NAME_AT,
    expected: "1 to 255 bytes of UTF-8 and a zero byte",
    found: showName(fields, NAME_AT)
  })

const readPacket = ({ view }: Fields, idstr: string): RamPacket => {
  const flags = view.getUint32(FLAGS_AT)
  const normal = view.getUint32(NORMAL_AT)
  const offsets = new Float64Array(normal + view.getUint32(ZERO_AT))
  for (let i = 0; i < offsets.length; i++) offsets[i] = getU64(view, OFFSETS_AT + 8 * i)
  return {
    sync: (flags & Flag.sync) !== 0,
    method: flags & Flag.method,
    packetNum: getU64(view, NUMBER_AT),
    idstr,
    normal: offsets.subarray(0, normal),
    zero: offsets.subarray(normal),
    payloadLength: view.getUint32(PAYLOAD_AT)
  }
}

/**
 * What is wrong with the offsets of a packet, if anything: `packet-block-unknown` where there is no such block,
 * `packet-offset-out-of-range` or `packet-offset-misaligned` for the first page that does not lie in it. QEMU stores
 * misaligned pages where they say.
 *
 * @category checks
 * @since 0.1.0
 */
export const checkPages = (packet: RamPacket, shape: Shape | undefined, position = 0): Finding.Finding | undefined => {
  const { idstr, normal, zero } = packet
  if (normal.length + zero.length === 0) return undefined
  if (shape === undefined) {
    const [expected, found] = ["a block that was announced", JSON.stringify(idstr)]
    return Finding.make({ code: "packet-block-unknown", offset: position + NAME_AT, expected, found })
  }
  const at = position + OFFSETS_AT
  return checkOffsets(normal, shape, at) ?? checkOffsets(zero, shape, at + 8 * normal.length)
}

const checkOffsets = (offsets: ArrayLike<number>, shape: Shape, position: number): Finding.Finding | undefined => {
  const last = shape.usedLength - shape.pageSize
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i]!
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

/**
 * The header of a RAM packet, in `into` (at least {@link headerLength} bytes, of which the view returned is the first part)
 * or in memory of its own. The payload is the caller's to send.
 *
 * **Details**
 *
 * Numbers are not checked, since they are our own: at most {@link pageCapacity} pages, and a name that a block may have.
 *
 * **Example** (Two pages of 4 KiB with data, and one of zeros)
 *
 * ```ts
 * import { MultifdPacket } from "effect-multifd"
 *
 * const header = MultifdPacket.encodeRam(
 *   { sync: false, method: 0, packetNum: 8, idstr: "m", normal: [0, 4096], zero: [8192], payloadLength: 8192 },
 *   4096
 * )
 * header.length // => 1344
 * ```
 *
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
  view.setUint32(FLAGS_AT, method | (sync ? Flag.sync : 0))
  view.setUint32(CAPACITY_AT, hasPages ? pageCapacity(pageSize) : 0)
  view.setUint32(NORMAL_AT, normal.length)
  view.setUint32(PAYLOAD_AT, payloadLength)
  setU64(view, NUMBER_AT, packetNum)
  view.setUint32(ZERO_AT, zero.length)
  setName(bytes, NAME_AT, idstr)
  setOffsets(view, OFFSETS_AT, normal)
  setOffsets(view, OFFSETS_AT + 8 * normal.length, zero)
  return bytes
}

const setOffsets = (view: DataView, at: number, offsets: ArrayLike<number>): void => {
  for (let i = 0; i < offsets.length; i++) setU64(view, at + 8 * i, offsets[i]!)
}

/**
 * A SYNC packet as QEMU 9.2 and later write it: nothing but the number, of the length of a header.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encodeSync = (packetNum: number, pageSize: number, into?: Uint8Array): Uint8Array =>
  encodeRam({ sync: true, method: 0, packetNum, idstr: "", normal: [], zero: [], payloadLength: 0 }, pageSize, into)
