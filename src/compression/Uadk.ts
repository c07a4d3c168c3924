/**
 * Method `uadk`: each page as a separate zlib stream (RFC 1950), as the accelerators of Kunpeng processors make them.
 * In software.
 *
 * ```text
 * 0     u32 len[n]      big-endian, 1 ≤ len ≤ page size, one for each page of the packet
 * 4·n   len[0] bytes    less than a page: header, deflate blocks, Adler-32; as much as a page: the page itself
 *       len[1] bytes
 *       …
 * ```
 *
 * A real peer without the hardware stores every page and accepts only stored ones.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as NodeZlib from "node:zlib"
import { type Codec, flags } from "./Compression.ts"
import { checkLevel } from "./internal/level.ts"
import { makePageCompressor, makePageDecompressor, storedPages } from "./internal/pageCodec.ts"
import * as PageOptions from "./internal/pageOptions.ts"

/**
 * The codec. It has one level, 1, because QEMU offers no choice.
 *
 * @stability unstable
 * @category codecs
 * @since 0.1.0
 */
export const codec: Codec = {
  method: "uadk",
  flag: flags.uadk,
  levels: { min: 1, max: 1, default: 1 },
  maxPayload: storedPages,
  compressor: (options) =>
    Effect.flatMap(checkLevel(codec, options.level), (level) =>
      makePageCompressor({
        method: "uadk",
        open: () => NodeZlib.createDeflate({ level, ...PageOptions.deflate }),
        reset: (stream) => stream.reset()
      })
    ),
  decompressor: makePageDecompressor({
    method: "uadk",
    open: () => NodeZlib.createInflate(PageOptions.inflate),
    reset: (stream) => stream.reset()
  })
}
