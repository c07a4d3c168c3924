/**
 * Method `qpl`: each page as a separate raw deflate stream (RFC 1951), as Intel's in-memory analytics accelerator makes
 * them. In software.
 *
 * ```text
 * 0     u32 len[0]      big-endian, 1 ≤ len ≤ page size
 * 4     u32 len[1]
 *       …               one for each page of the packet
 * 4·n   len[0] bytes    less than a page: raw deflate, final block set, no wrapper; as much as a page: the page itself
 *       len[1] bytes
 *       …
 * ```
 *
 * The accelerator looks back at most 4 KiB. So does the sending end here, for any page size.
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
  method: "qpl",
  flag: flags.qpl,
  levels: { min: 1, max: 1, default: 1 },
  maxPayload: storedPages,
  compressor: (options) =>
    Effect.flatMap(checkLevel(codec, options.level), (level) =>
      makePageCompressor({
        method: "qpl",
        open: () => NodeZlib.createDeflateRaw({ level, ...PageOptions.deflate }),
        reset: (stream) => stream.reset()
      })
    ),
  decompressor: makePageDecompressor({
    method: "qpl",
    open: () => NodeZlib.createInflateRaw(PageOptions.inflate),
    reset: (stream) => stream.reset()
  })
}
