/**
 * Method `qatzip`: a packet's pages as gzip members (RFC 1952), in the form that Intel's QATzip library writes. In
 * software.
 *
 * ```text
 *  0   1f 8b 08 04       gzip, deflate, FEXTRA
 *  4   00 00 00 00       time
 *  8   00 ff             no hint, system unknown
 * 10   0c 00             bytes of the extra field, 12, little-endian like all that follows
 * 12   'Q' 'Z' 08 00     subfield of 8 bytes
 * 16   u32               bytes of the member's pages, at most 65536
 * 20   u32 = c           bytes of the deflate stream
 * 24   c bytes           raw deflate, final block set
 *      u32 CRC-32, u32 bytes of the pages
 *      …                 the next member
 * ```
 *
 * A page that does not shrink is compressed anyway, so a payload can be larger than its pages. The receiving end
 * accepts members of any size, with any header.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as NodeZlib from "node:zlib"
import * as Invariant from "../ram/Invariant.ts"
import { type Codec, type Compressor, flags } from "./Compression.ts"
import { type CodecStreams, makeCodecStreams } from "./internal/codecStreams.ts"
import { checkLevel } from "./internal/level.ts"
import { gather, makeMemory } from "./internal/memory.ts"
import { twicePages } from "./internal/payloadBound.ts"
import { compressPieces, type Packed, split } from "./internal/pieces.ts"
import { chunkSize, makeStreamDecompressor } from "./internal/streamCodec.ts"

const { Z_FINISH: flush } = NodeZlib.constants

/** Bytes of pages in one member: the library's default. */
const memberSize = 64 * 1024

/** Members of a packet that are compressed at once: one per thread of the pool. */
const streams = 4

const headerLength = 24
const trailerLength = 8

/** The header before the two sizes. */
const header = Uint8Array.of(0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 12, 0, 0x51, 0x5a, 8, 0)

/**
 * The codec.
 *
 * **Details**
 *
 * Levels 1 to 9, default 1: QEMU's parameter `multifd-qatzip-level`. The pages are always copied first, because a
 * checksum must match them.
 *
 * @stability unstable
 * @category codecs
 * @since 0.1.0
 */
export const codec: Codec = {
  method: "qatzip",
  flag: flags.qatzip,
  levels: { min: 1, max: 9, default: 1 },
  maxPayload: twicePages,
  compressor: (options) =>
    Effect.flatMap(checkLevel(codec, options.level), (level) =>
      Effect.map(
        makeCodecStreams(
          {
            method: "qatzip",
            open: () => NodeZlib.createDeflateRaw({ level, flush, chunkSize }),
            reset: (stream) => stream.reset()
          },
          streams
        ),
        makeCompressor
      )
    ),
  decompressor: makeStreamDecompressor({
    method: "qatzip",
    open: () => NodeZlib.createGunzip({ flush, chunkSize })
  })
}

const makeCompressor = (streams: CodecStreams): Compressor => {
  const memory = makeMemory()
  return {
    compress: (runs) =>
      Effect.suspend(() => {
        const members = split(gather(runs, memory), memberSize)
        return Effect.map(compressPieces(streams, "qatzip", members), (packed) =>
          packed.flatMap((deflated, member) =>
            frame(Invariant.defined(members[member], "each member of a frame was deflated"), deflated)
          )
        )
      })
  }
}

/** Adds the header before a member's deflate stream and the trailer after it. */
const frame = (pages: Uint8Array, { parts, length }: Packed): ReadonlyArray<Uint8Array> => {
  const wrapper = new Uint8Array(headerLength + trailerLength)
  const view = new DataView(wrapper.buffer)
  wrapper.set(header)
  view.setUint32(16, pages.length, true)
  view.setUint32(20, length, true)
  view.setUint32(headerLength, NodeZlib.crc32(pages), true)
  view.setUint32(headerLength + 4, pages.length, true)
  return [wrapper.subarray(0, headerLength), ...parts, wrapper.subarray(headerLength)]
}
