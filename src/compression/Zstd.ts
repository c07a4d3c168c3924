/**
 * Method `zstd`: one zstd frame (RFC 8878) per channel for the whole migration.
 *
 * ```text
 * packet 1   28 b5 2f fd │ 00 48 │ blocks of its pages      magic, then no content size, no checksum, window 512 KiB
 * packet 2                         blocks of its pages      none is marked as the last one
 *   …
 * the end    nothing: the frame is never ended
 * ```
 *
 * Every payload ends in a flush. Like QEMU, the receiving end also accepts a complete frame per packet.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as NodeZlib from "node:zlib"
import { type Codec, flags } from "./Compression.ts"
import { checkLevel } from "./internal/level.ts"
import { twicePages } from "./internal/payloadBound.ts"
import { chunkSize, makeStreamCompressor, makeStreamDecompressor } from "./internal/streamCodec.ts"

const { ZSTD_c_compressionLevel, ZSTD_d_windowLogMax, ZSTD_e_flush: flush } = NodeZlib.constants

const levels = { min: 0, max: 20, default: 1 }

/**
 * log2 of the largest window that a frame may request, 128 MiB: the most that any level uses, and the library's own
 * limit.
 */
const windowLogMax = 27

/**
 * The codec.
 *
 * **Details**
 *
 * Levels 0 (the library's default) to 20, default 1: QEMU's parameter `multifd-zstd-level`. High levels need much
 * memory per channel, on both ends: at level 20 the receiving end keeps a window of 32 MiB. The window is no larger
 * than the peer's frame requests, at most 128 MiB, and only its filled part is in memory.
 *
 * @stability unstable
 * @category codecs
 * @since 0.1.0
 */
export const codec: Codec = {
  method: "zstd",
  flag: flags.zstd,
  levels,
  maxPayload: twicePages,
  compressor: (options) =>
    Effect.flatMap(checkLevel(codec, options.level), (level) => {
      const params = { [ZSTD_c_compressionLevel]: level }
      return makeStreamCompressor({
        method: "zstd",
        open: () => NodeZlib.createZstdCompress({ params, flush, chunkSize })
      })
    }),
  decompressor: makeStreamDecompressor({
    method: "zstd",
    open: () => NodeZlib.createZstdDecompress({ params: { [ZSTD_d_windowLogMax]: windowLogMax }, chunkSize })
  })
}
