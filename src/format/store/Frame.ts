/**
 * Pages as a snapshot store keeps them: one piece that is compressed, and read back, as a whole.
 *
 * ```text
 *   1 to 256 pages, at most 1 MiB ── coding 1: one zstd frame
 *                                 └─ coding 0: as they are, where zstd saves less than 1/16
 *   encrypted: AES-256-GCM of that, its tag of 16 bytes behind it
 * ```
 *
 * The CRC-32 of the stored bytes is in the pack's trailer, because zstd's own checksum does not detect every flipped
 * bit.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { crc32, constants, zstdCompressSync, zstdDecompressSync } from "node:zlib"
import type * as Finding from "../Finding.ts"
import { found } from "./internal/findings.ts"

/**
 * Bytes of the pages of the largest frame.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const MAX_BYTES: number = 1024 * 1024

/**
 * Pages of the largest frame.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const MAX_PAGES: number = 256

/**
 * The coding of a frame's pages.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Coding = "plain" | "zstd"

/**
 * A frame as a trailer describes it.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Frame {
  /** Bytes in the pack, including the tag of an encrypted frame. */
  readonly storedBytes: number
  readonly pages: number
  readonly coding: Coding
  /** A power of two. */
  readonly pageSize: number
  /** CRC-32 of the stored bytes. */
  readonly crc: number
}

/**
 * Codes pages. `level` is zstd's; default 1.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const encode = (pages: Uint8Array, level = 1): { readonly coding: Coding; readonly bytes: Uint8Array } => {
  const packed = zstdCompressSync(pages, { params: { [constants.ZSTD_c_compressionLevel]: level } })
  return packed.length > pages.length - pages.length / 16
    ? { coding: "plain", bytes: pages }
    : { coding: "zstd", bytes: packed }
}

/**
 * `true` if the stored bytes of a frame have the length and the CRC-32 in the trailer.
 *
 * @stability unstable
 * @category predicates
 * @since 0.1.0
 */
export const isIntact = ({ crc, storedBytes }: Frame, bytes: Uint8Array): boolean =>
  bytes.length === storedBytes && crc32(bytes) === crc

const decompress = (bytes: Uint8Array, length: number): Uint8Array | undefined => {
  try {
    return zstdDecompressSync(bytes, { maxOutputLength: length })
  } catch {
    return undefined
  }
}

/**
 * The pages of a frame, from the output of `encode` (decrypted first, if it was encrypted). `position` is the frame's
 * position in its pack. Fails with `store-pack-corrupt`.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const decode = (
  { coding, pageSize, pages }: Frame,
  bytes: Uint8Array,
  position: number
): Result.Result<Uint8Array, Finding.Finding> => {
  const length = pages * pageSize
  const decoded = coding === "plain" ? bytes : decompress(bytes, length)
  return decoded?.length === length
    ? Result.succeed(decoded)
    : found(
        "store-pack-corrupt",
        position,
        `${length} bytes of pages`,
        `${decoded?.length ?? "no zstd frame of so many"}`
      )
}
