/**
 * The compression methods that this process knows.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type { Codec, CompressionMethod } from "./Compression.ts"

/**
 * The codecs by method.
 *
 * **Details**
 *
 * The default has all five, in software. Provide another map to leave methods out, or to put a codec that drives an
 * accelerator in the place of one.
 *
 * @category services
 * @since 0.1.0
 */
export const Codecs: Context.Reference<ReadonlyMap<CompressionMethod, Codec>> = Context.Reference<
  ReadonlyMap<CompressionMethod, Codec>
>("effect-multifd/compression/Codecs", { defaultValue: () => new Map() })
