/**
 * The interface behind which every compression method hides.
 *
 * ```text
 *             pages of a packet            payload                      pages of a packet
 *   sender    ████ ██ ██████   ──compress──►  ▒▒▒▒▒▒   ──decompress──►  ████████████   receiver
 *             runs of whole pages          any number                   one target that the
 *             from where they are          of parts                     payload fills exactly
 *
 *   one compressor                  one channel                     one decompressor
 *   for the whole migration  ═══════════════════════════  for the whole migration
 * ```
 *
 * Both ends have state: zlib and zstd are one stream for the whole life of a channel. So payloads are decompressed in the
 * order in which they were compressed, each exactly once, and after a failure nothing more comes out of either end.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { CompressionError, CompressionLevelError, CompressorFailedError } from "./CompressionError.ts"

/**
 * A method that changes the bytes of pages, by QEMU's name for it.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type CompressionMethod = "zlib" | "zstd" | "qpl" | "uadk" | "qatzip"

/**
 * A value of QEMU's parameter `multifd-compression`. With `none` the payload is the pages as they are, and there is no
 * codec: a channel writes its page views directly.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Method = "none" | CompressionMethod

/**
 * The bits of a packet's flags that say how its payload is compressed. They are the same for all packets of a channel, also
 * for those without a payload; only SYNC packets have none of them.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const flags: { readonly [Name in Method]: number } = {
  none: 0x00,
  zlib: 0x02,
  zstd: 0x04,
  qpl: 0x08,
  uadk: 0x10,
  qatzip: 0x20
}

/**
 * All methods, in the order of their flags.
 *
 * @stability unstable
 * @category constants
 * @since 0.1.0
 */
export const methods: readonly [Method, ...Array<Method>] = ["none", "zlib", "zstd", "qpl", "uadk", "qatzip"]

/**
 * The sending end of one channel.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Compressor {
  /**
   * Makes the payload of one packet.
   *
   * **Details**
   *
   * `runs` are the packet's normal pages in their order; each run is one or more whole pages of `pageSize` bytes. A packet
   * whose pages lie in one run is compressed from where they lie; several runs are gathered into a buffer first, which
   * costs a hundredth of the compression and saves a hop to another thread for each run. No runs give no payload.
   *
   * The result is the payload in any number of parts. They stay as they are while the next packet is compressed, so that one
   * can be written meanwhile, but not longer: from the call after that on, their memory may be used again. The memory of
   * the runs may change again when the effect has ended; bytes that change before, because a guest goes on writing, come
   * out as one or the other.
   *
   * One call at a time. The work happens on Node's thread pool, whose size (`UV_THREADPOOL_SIZE`, 4 by default) is how many
   * channels compress at once. Interruption waits for the piece of work under way.
   *
   * **Failure effect**: the stream is closed; every later call fails with `CompressorClosedError`.
   */
  readonly compress: (
    runs: ReadonlyArray<Uint8Array>,
    pageSize: number
  ) => Effect.Effect<ReadonlyArray<Uint8Array>, CompressionError>
}

/**
 * The receiving end of one channel.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Decompressor {
  /**
   * Fills all of `target`, a whole number of pages, from the whole payload of one packet. Whatever else the payload would
   * give (too little, too much, bytes left over, another format) is a `PayloadError`.
   *
   * **Details**
   *
   * Memory does not grow with what the payload would inflate to: nothing is kept of what does not fit. The payload must not
   * change until the effect has ended.
   *
   * One call at a time. The work happens on the thread pool. Interruption waits for the piece of work under way; nothing
   * is written to `target` afterwards.
   *
   * **Failure effect**: any part of `target` is overwritten. The stream is closed; every later call fails with
   * `CompressorClosedError`.
   */
  readonly decompress: (
    payload: Uint8Array,
    target: Uint8Array,
    pageSize: number
  ) => Effect.Effect<void, CompressionError>
}

/**
 * A compression method: how its packets are marked, its limits, and both its ends.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Codec {
  readonly method: CompressionMethod
  /** Its bit in the packets' flags, see {@link flags}. */
  readonly flag: number
  /** The compression levels that a sender may ask for, whole numbers. */
  readonly levels: { readonly min: number; readonly max: number; readonly default: number }
  /** Bytes that the payload of a packet of so many normal pages can have at most; a receiver refuses more before it reads them. */
  readonly maxPayload: (pages: number, pageSize: number) => number
  /** Opens a channel's sending end; leaving the scope frees its native memory. */
  readonly compressor: (options: {
    /** See `levels`. */
    readonly level?: number | undefined
  }) => Effect.Effect<Compressor, CompressionLevelError | CompressorFailedError, Scope.Scope>
  /** Opens a channel's receiving end; leaving the scope frees its native memory. */
  readonly decompressor: Effect.Effect<Decompressor, CompressorFailedError, Scope.Scope>
}
