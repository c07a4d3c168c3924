/**
 * The common interface of all compression methods.
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
 * Both ends have state: zlib and zstd are one stream for the whole life of a channel. Payloads must be decompressed in
 * the order in which they were compressed, each exactly once. After a failure, neither end produces anything more.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { CompressionError, CompressionLevelError, CompressorFailedError } from "./CompressionError.ts"

/**
 * A method that compresses pages, by QEMU's name.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type CompressionMethod = "zlib" | "zstd" | "qpl" | "uadk" | "qatzip"

/**
 * A value of QEMU's parameter `multifd-compression`. With `none` the payload is the unchanged pages, and there is no
 * codec: a channel writes its page views directly.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Method = "none" | CompressionMethod

/**
 * The bits of a packet's flags that name the compression of its payload. They are the same for all packets of a
 * channel, including those without a payload; only SYNC packets have none of them.
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
   * `runs` are the packet's normal pages in order; each run is one or more whole pages of `pageSize` bytes. Pages in
   * one run are compressed in place. Several runs are first gathered into a buffer, which adds a hundredth to the time
   * and saves one hop to another thread per run. Without runs there is no payload.
   *
   * The result is the payload in any number of parts. They stay valid during the next call, so that one payload can be
   * written while the next is compressed. The call after that may reuse their memory. The memory of the runs may change
   * again when the effect has ended. If a running guest changes bytes earlier, either the old or the new value is
   * compressed.
   *
   * One call at a time. The work runs on Node's thread pool, whose size (`UV_THREADPOOL_SIZE`, 4 by default) is the
   * number of channels that compress at once. Interruption waits for the piece in progress.
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
   * Fills all of `target`, a whole number of pages, from the complete payload of one packet. Any other payload (too
   * little output, too much, bytes left over, another format) is a `PayloadError`.
   *
   * **Details**
   *
   * Memory is independent of the inflated size of the payload: output that does not fit is discarded. The payload must
   * not change until the effect has ended.
   *
   * One call at a time. The work runs on the thread pool. Interruption waits for the piece in progress; nothing is
   * written to `target` afterwards.
   *
   * **Failure effect**: any part of `target` may be overwritten. The stream is closed; every later call fails with
   * `CompressorClosedError`.
   */
  readonly decompress: (
    payload: Uint8Array,
    target: Uint8Array,
    pageSize: number
  ) => Effect.Effect<void, CompressionError>
}

/**
 * A compression method: its flag, its limits, and its two ends.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Codec {
  readonly method: CompressionMethod
  /** Its bit in the packets' flags, see {@link flags}. */
  readonly flag: number
  /** The compression levels available to a sender, whole numbers. */
  readonly levels: { readonly min: number; readonly max: number; readonly default: number }
  /**
   * Most bytes in the payload of a packet of `pages` normal pages; a receiver refuses a longer one before it reads it.
   */
  readonly maxPayload: (pages: number, pageSize: number) => number
  /** Opens a channel's sending end; leaving the scope frees its native memory. */
  readonly compressor: (options: {
    /** See `levels`. */
    readonly level?: number | undefined
  }) => Effect.Effect<Compressor, CompressionLevelError | CompressorFailedError, Scope.Scope>
  /** Opens a channel's receiving end; leaving the scope frees its native memory. */
  readonly decompressor: Effect.Effect<Decompressor, CompressorFailedError, Scope.Scope>
}
