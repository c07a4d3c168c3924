/**
 * Method `zlib`: one zlib stream (RFC 1950) per channel for the whole migration.
 *
 * ```text
 * packet 1   78 01 │ deflate blocks of its pages │ 00 00 00 ff ff      two bytes of header, once
 * packet 2           deflate blocks of its pages │ 00 00 00 ff ff      an empty stored block: the sync flush
 *   …
 * the end    nothing: the stream is never finished, no checksum is ever sent
 * ```
 *
 * The window of 32 KiB continues from packet to packet. Like QEMU, the receiving end accepts any flush from its peer,
 * after every page or every packet, and any level.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as NodeZlib from "node:zlib"
import { type Codec, flags } from "./Compression.ts"
import { checkLevel } from "./internal/level.ts"
import { twicePages } from "./internal/payloadBound.ts"
import { chunkSize, makeStreamCompressor, makeStreamDecompressor } from "./internal/streamCodec.ts"

const levels = { min: 0, max: 9, default: 1 }
const flush = NodeZlib.constants.Z_SYNC_FLUSH

/** The maximum: a tenth faster than QEMU's 8 for pages of programs, no slower for others, at 128 KiB more memory. */
const memLevel = 9

/**
 * The codec.
 *
 * **Details**
 *
 * Levels 0 (stored) to 9, default 1: QEMU's parameter `multifd-zlib-level`. A peer that finishes its stream is detected
 * at the next packet, and so are trailing bytes of a payload that only begin something.
 *
 * **Example** (One channel, both ends)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Zlib } from "effect-multifd/compression"
 *
 * const program = Effect.gen(function* () {
 *   const { compress } = yield* Zlib.codec.compressor({ level: 1 })
 *   const { decompress } = yield* Zlib.codec.decompressor
 *   const pages = new Uint8Array(8 * 4096).fill(1)
 *   const payload = Buffer.concat(yield* compress([pages], 4096))
 *   const target = new Uint8Array(8 * 4096)
 *   yield* decompress(payload, target, 4096)
 *   return target
 * }).pipe(Effect.scoped)
 * ```
 *
 * @stability unstable
 * @category codecs
 * @since 0.1.0
 */
export const codec: Codec = {
  method: "zlib",
  flag: flags.zlib,
  levels,
  maxPayload: twicePages,
  compressor: (options) =>
    Effect.flatMap(checkLevel(codec, options.level), (level) =>
      makeStreamCompressor({
        method: "zlib",
        open: () => NodeZlib.createDeflate({ level, memLevel, flush, chunkSize })
      })
    ),
  decompressor: makeStreamDecompressor({
    method: "zlib",
    open: () => NodeZlib.createInflate({ flush, chunkSize })
  })
}
