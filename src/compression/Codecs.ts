/**
 * The compression methods available to this process.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Qatzip from "./Qatzip.ts"
import * as Qpl from "./Qpl.ts"
import * as Uadk from "./Uadk.ts"
import * as Zlib from "./Zlib.ts"
import * as Zstd from "./Zstd.ts"
import type { Codec, CompressionMethod } from "./Compression.ts"

const all: ReadonlyMap<CompressionMethod, Codec> = new Map(
  [Zlib.codec, Zstd.codec, Qpl.codec, Uadk.codec, Qatzip.codec].map((codec) => [codec.method, codec])
)

/**
 * The codecs by method.
 *
 * **Details**
 *
 * The default has all five, in software. Provide another map to leave methods out, or to replace one with a codec that
 * drives an accelerator.
 *
 * @stability stable
 * @category services
 * @since 0.1.0
 */
export const Codecs: Context.Reference<ReadonlyMap<CompressionMethod, Codec>> = Context.Reference<
  ReadonlyMap<CompressionMethod, Codec>
>("effect-multifd/compression/Codecs", { defaultValue: () => all })
