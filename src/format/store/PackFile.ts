/**
 * A pack: pages that one writer of one snapshot was the first to store. All numbers are little-endian.
 *
 * ```text
 *   header   0   8  "MFDsPack"
 *            8  u32  version 1
 *           12  u32  0
 *           16  16   salt of the pack's key; zeros without encryption
 *   frames   …       one behind the other (see `Frame`)
 *   trailer  0  u32  number of frames
 *            4  12   each: u32 stored bytes, u16 pages, u8 coding, u8 log2 of the page size, u32 CRC-32 of the stored bytes
 *            …  16   each: digests of the pages, in the order of the pages
 *   footer   0   8  "MFDsPack"
 *            8  u32  version 1
 *           12  u32  bytes of the trailer
 *           16  16   the snapshot
 *           32  32   SHA-256 of trailer and the 32 bytes in front of this field;
 *                    encrypted: tag of the trailer (frame 2^32-1, those 32 bytes authenticated with it), 16 zeros
 *
 *   encrypted: key  HKDF as in `SealedObject`, with the name of the pack and the salt
 *              nonce  u32 number of the frame, 8 zeros
 *              AAD  repository, NUL, name, NUL, u32 number of the frame (big-endian)
 * ```
 *
 * The map gives a reader the start of the trailer, so one read gets the trailer. Without a map, a pack is read from its
 * end.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { Buffer } from "node:buffer"
import { createHash } from "node:crypto"
import type * as Finding from "../Finding.ts"
import type * as Frame from "./Frame.ts"
import { MAX_BYTES as MAX_FRAME_BYTES, MAX_PAGES } from "./Frame.ts"
import { found } from "./internal/findings.ts"
import * as PageDigest from "./PageDigest.ts"
import * as SealedObject from "./SealedObject.ts"
import * as StoreId from "./StoreId.ts"

const MAGIC = Buffer.from("MFDsPack", "latin1")
const VERSION = 1
const FRAME_BYTES = 12
const TAG_BYTES = 16
const CODINGS = ["plain", "zstd"] as const

/** The number under which the trailer of an encrypted pack is sealed. */
const TRAILER_NUMBER = 2 ** 32 - 1

/**
 * Bytes of a header.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const HEADER_BYTES: number = 32

/**
 * Bytes of a footer.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const FOOTER_BYTES: number = 64

/**
 * Bytes of the longest pack: a writer holds two of them in memory.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const MAX_BYTES: number = 32 * 1024 * 1024

/**
 * The content of a trailer.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Trailer {
  readonly frames: ReadonlyArray<Frame.Frame>
  /** 16 bytes for each page. */
  readonly digests: Uint8Array
}

/**
 * The key of an encrypted pack.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface PackKey {
  readonly key: Uint8Array
  readonly additional: Uint8Array
}

/**
 * The key of the pack of this name and salt.
 *
 * @stability unstable
 * @category computing
 * @since 0.1.0
 */
export const keyOf = (sealing: SealedObject.Sealing, salt: Uint8Array): PackKey => ({
  key: SealedObject.objectKey(sealing, salt),
  additional: SealedObject.additionalData(sealing)
})

const nonceOf = (number: number): Uint8Array => {
  const nonce = Buffer.alloc(12)
  nonce.writeUInt32LE(number)
  return nonce
}

const additionalOf = ({ additional }: PackKey, number: number, more: Uint8Array = new Uint8Array(0)): Uint8Array => {
  const place = Buffer.alloc(5)
  place.writeUInt32BE(number, 1)
  return Buffer.concat([additional, place, more])
}

/**
 * Seals a frame, the `number`-th of its pack. Each number is used once.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const sealFrame = (key: PackKey, number: number, frame: Uint8Array): Uint8Array =>
  SealedObject.encrypt(key.key, nonceOf(number), additionalOf(key, number), frame)

/**
 * Opens a frame; `undefined` for one that was not sealed with this key, or as this frame.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const openFrame = (key: PackKey, number: number, sealed: Uint8Array): Uint8Array | undefined =>
  SealedObject.decrypt(key.key, nonceOf(number), additionalOf(key, number), sealed)

/**
 * The header, 32 bytes.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeHeader = (salt: Uint8Array): Uint8Array => {
  const header = new Uint8Array(HEADER_BYTES)
  header.set(MAGIC)
  Buffer.from(header.buffer).writeUInt32LE(VERSION, MAGIC.length)
  header.set(salt, 16)
  return header
}

const corrupt = (offset: number, expected: string, actual: string) =>
  found("store-pack-corrupt", offset, expected, actual)

/**
 * Reads a header: its salt. Fails with `store-pack-corrupt` or `store-version-unsupported`.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decodeHeader = (bytes: Uint8Array): Result.Result<Uint8Array, Finding.Finding> => {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (head.length < HEADER_BYTES || !head.subarray(0, 8).equals(MAGIC)) {
    return corrupt(0, "the header of a pack", "other bytes")
  }
  const version = head.readUInt32LE(8)
  if (version !== VERSION) return found("store-version-unsupported", 8, `version ${VERSION}`, `version ${version}`)
  if (head.readUInt32LE(12) !== 0) return corrupt(12, "0", `${head.readUInt32LE(12)}`)
  return Result.succeed(bytes.slice(16, HEADER_BYTES))
}

const encodeFrames = (frames: ReadonlyArray<Frame.Frame>): Buffer => {
  const bytes = Buffer.alloc(4 + frames.length * FRAME_BYTES)
  bytes.writeUInt32LE(frames.length)
  frames.forEach(({ coding, crc, pageSize, pages, storedBytes }, index) => {
    const at = 4 + index * FRAME_BYTES
    bytes.writeUInt32LE(storedBytes, at)
    bytes.writeUInt16LE(pages, at + 4)
    bytes.writeUInt8(CODINGS.indexOf(coding), at + 6)
    bytes.writeUInt8(Math.log2(pageSize), at + 7)
    bytes.writeUInt32LE(crc, at + 8)
  })
  return bytes
}

const footerHead = (trailerBytes: number, snapshot: string): Buffer => {
  const head = Buffer.alloc(32)
  head.set(MAGIC)
  head.writeUInt32LE(VERSION, 8)
  head.writeUInt32LE(trailerBytes, 12)
  head.set(StoreId.toBytes(snapshot) ?? new Uint8Array(StoreId.BYTES), 16)
  return head
}

/**
 * Encodes trailer and footer of a pack of a snapshot, to be written after its frames.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encodeEnd = ({ digests, frames }: Trailer, snapshot: string, key?: PackKey | undefined): Uint8Array => {
  const trailer = Buffer.concat([encodeFrames(frames), digests])
  const head = footerHead(trailer.length, snapshot)
  if (key === undefined) {
    const digest = createHash("sha256").update(trailer).update(head).digest()
    return new Uint8Array(Buffer.concat([trailer, head, digest]))
  }
  const additional = additionalOf(key, TRAILER_NUMBER, head)
  const sealed = SealedObject.encrypt(key.key, nonceOf(TRAILER_NUMBER), additional, trailer)
  const [text, tag] = [sealed.subarray(0, trailer.length), sealed.subarray(trailer.length)]
  return new Uint8Array(Buffer.concat([text, head, tag, Buffer.alloc(32 - TAG_BYTES)]))
}

/**
 * The contents of a footer.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Footer {
  readonly trailerBytes: number
  readonly snapshot: string
}

/**
 * Reads the last 64 bytes of a pack of `packBytes` bytes. Fails with `store-pack-corrupt` or
 * `store-version-unsupported`.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decodeFooter = (bytes: Uint8Array, packBytes: number): Result.Result<Footer, Finding.Finding> => {
  const at = packBytes - FOOTER_BYTES
  const foot = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (foot.length !== FOOTER_BYTES || !foot.subarray(0, 8).equals(MAGIC)) {
    return corrupt(Math.max(at, 0), "the footer of a pack", "other bytes")
  }
  const version = foot.readUInt32LE(8)
  if (version !== VERSION) return found("store-version-unsupported", at + 8, `version ${VERSION}`, `version ${version}`)
  const trailerBytes = foot.readUInt32LE(12)
  const room = Math.min(packBytes, MAX_BYTES) - HEADER_BYTES - FOOTER_BYTES
  if (trailerBytes > room) return corrupt(at + 12, `a trailer of at most ${room} bytes`, `${trailerBytes} bytes`)
  return Result.succeed({ trailerBytes, snapshot: StoreId.fromBytes(foot.subarray(16, 32)) })
}

const openTrailer = (end: Buffer, key: PackKey | undefined): Uint8Array | undefined => {
  const trailer = end.subarray(0, end.length - FOOTER_BYTES)
  const head = end.subarray(trailer.length, trailer.length + 32)
  const proof = end.subarray(trailer.length + 32)
  if (key === undefined) {
    return createHash("sha256").update(trailer).update(head).digest().equals(proof) ? trailer : undefined
  }
  if (!proof.subarray(TAG_BYTES).every((byte) => byte === 0)) return undefined
  const sealed = Buffer.concat([trailer, proof.subarray(0, TAG_BYTES)])
  return SealedObject.decrypt(key.key, nonceOf(TRAILER_NUMBER), additionalOf(key, TRAILER_NUMBER, head), sealed)
}

const decodeFrame = (bytes: Buffer): Frame.Frame | undefined => {
  const coding = CODINGS[bytes.readUInt8(6)]
  const bits = bytes.readUInt8(7)
  const pages = bytes.readUInt16LE(4)
  const pageSize = 2 ** bits
  const isSound = coding !== undefined && bits >= 9 && pages >= 1 && pages <= MAX_PAGES
  if (!isSound || pages * pageSize > MAX_FRAME_BYTES) return undefined
  return { coding, pages, pageSize, storedBytes: bytes.readUInt32LE(0), crc: bytes.readUInt32LE(8) }
}

const decodeTrailer = (trailer: Buffer, position: number): Result.Result<Trailer, Finding.Finding> => {
  const count = trailer.length < 4 ? Number.NaN : trailer.readUInt32LE(0)
  const end = 4 + count * FRAME_BYTES
  if (!(end <= trailer.length)) return corrupt(position, "the list of frames", `the end of ${trailer.length} bytes`)
  const frames: Array<Frame.Frame> = []
  for (let at = 4; at < end; at += FRAME_BYTES) {
    const frame = decodeFrame(trailer.subarray(at, at + FRAME_BYTES))
    if (frame === undefined) return corrupt(position + at, "a frame", trailer.toString("hex", at, at + FRAME_BYTES))
    frames.push(frame)
  }
  const pages = frames.reduce((sum, frame) => sum + frame.pages, 0)
  const stored = frames.reduce((sum, frame) => sum + frame.storedBytes, HEADER_BYTES)
  if (trailer.length - end !== pages * PageDigest.BYTES) {
    return corrupt(position + end, `the digests of ${pages} pages`, `${trailer.length - end} bytes`)
  }
  if (stored !== position) return corrupt(position, `a trailer after ${stored} bytes`, `one after ${position}`)
  return Result.succeed({ frames, digests: new Uint8Array(trailer.subarray(end)) })
}

/**
 * Reads trailer and footer, the bytes of a pack from `position` to its end. Fails with `store-pack-corrupt`,
 * `store-object-forged` or `store-version-unsupported`.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decodeEnd = (
  bytes: Uint8Array,
  position: number,
  snapshot: string,
  key?: PackKey | undefined
): Result.Result<Trailer, Finding.Finding> => {
  const end = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const footer = decodeFooter(bytes.subarray(Math.max(0, bytes.length - FOOTER_BYTES)), position + bytes.length)
  if (Result.isFailure(footer)) return Result.fail(footer.failure)
  if (footer.success.trailerBytes !== bytes.length - FOOTER_BYTES) {
    return corrupt(
      position,
      `a trailer of ${bytes.length - FOOTER_BYTES} bytes`,
      `${footer.success.trailerBytes} bytes`
    )
  }
  if (footer.success.snapshot !== snapshot) {
    return corrupt(position + bytes.length - 48, `a pack of snapshot ${snapshot}`, `one of ${footer.success.snapshot}`)
  }
  const trailer = openTrailer(end, key)
  if (trailer === undefined) {
    return key === undefined
      ? corrupt(position, "a trailer that matches its checksum", "another checksum")
      : found("store-object-forged", position, "a trailer sealed for this pack", "another key, another pack or damage")
  }
  return decodeTrailer(Buffer.from(trailer.buffer, trailer.byteOffset, trailer.length), position)
}

/**
 * The start of each frame of a pack, and the end of the last one.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const framePositions = ({ frames }: Pick<Trailer, "frames">): Float64Array => {
  const positions = new Float64Array(frames.length + 1)
  let end = (positions[0] = HEADER_BYTES)
  frames.forEach(({ storedBytes }, index) => void (positions[index + 1] = end += storedBytes))
  return positions
}
