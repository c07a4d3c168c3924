/**
 * Options of sending.
 *
 * @since 0.1.0
 */
import type { Method } from "../compression/Compression.ts"
import type { CompressionError, CompressionLevelError } from "../compression/CompressionError.ts"
import type * as ConnectionError from "../io/sockets/ConnectionError.ts"
import type { FileError } from "../io/files/FileError.ts"
import type { SocketAddress } from "../io/sockets/SocketAddress.ts"
import type * as TlsCredentials from "../io/sockets/TlsCredentials.ts"
import type * as PeerLimits from "../multifd/PeerLimits.ts"
import type { Marks } from "../multifd/MainChannel.ts"
import type { PeerFailedError } from "../multifd/PeerFailedError.ts"
import type { PipelineOptionsError } from "../transfer/PipelineOptions.ts"
import type { ProtocolError } from "../multifd/ProtocolError.ts"
import type { RateLimit } from "../transfer/RateLimit.ts"
import type * as RamBlock from "../ram/RamBlock.ts"
import type { IntegrityError, SealKeyError } from "../image/Integrity.ts"
import type { MachineSource } from "../snapshot/SnapshotSource.ts"
import type { MigrationRequestError } from "../snapshot/MigrationRequestError.ts"
import type { Progress } from "./Progress.ts"

/**
 * The place where zero pages are detected, as QEMU's parameter of that name.
 *
 * - `none`: they are not detected; each page is sent with its bytes.
 * - `legacy`: before the queue, and the main channel lists them. Every QEMU understands it.
 * - `multifd`: in the channels, which list them in their packets; QEMU 9.0 and later.
 *
 * Absent pages of an image are known to be zero; with `none` their zeros are sent anyway.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type ZeroPageDetection = "none" | "legacy" | "multifd"

/**
 * Options of sending.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface SendOptions<out E = never> {
  /** An image, another snapshot, or blocks with the rest of the machine. */
  readonly source: MachineSource<E>
  /** The destination's address. */
  readonly to: SocketAddress
  /** TLS credentials for all connections. Default: no TLS. */
  readonly tls?: TlsCredentials.Client | undefined
  /**
   * Number of channels, 1 to 255, the same on both sides; 0: no multifd, the main channel carries the pages. Default 2,
   * as in QEMU.
   */
  readonly channels?: number | undefined
  /** Compression of the payloads, the same on both sides. Default `none`. */
  readonly compression?: Method | undefined
  /** The compression level. Default: the method's own, 1. */
  readonly level?: number | undefined
  /** Default: by the machine type as in QEMU, `legacy` up to 8.2 and `multifd` later. */
  readonly zeroPageDetection?: ZeroPageDetection | undefined
  /**
   * The mark that tells the destination that all channels have synced, `each-round` or `each-section`. A QEMU that
   * waits for the other one hangs. Default: the source's mark, if the image's notes have it; otherwise by the machine
   * type as in QEMU, `each-section` up to 8.0, `each-round` later and for names without a version
   * (`MachineType.versionOf`).
   */
  readonly marks?: Exclude<Marks, "none"> | undefined
  /** The guest's UUID, 16 bytes in the order of its text. Default: the source's, or zeros if it has none. */
  readonly uuid?: Uint8Array | undefined
  /** `true` to send an image even if some of its pages were lost in a recovery, and are zeros. Default `false`. */
  readonly allowLost?: boolean | undefined
  /**
   * `true` to ask the destination for a confirmation when it has everything (QEMU's `return-path`). Default `true`.
   * Without it, only the end of the connection shows that, and a failure at the very end looks the same.
   */
  readonly returnPath?: boolean | undefined
  /**
   * Bytes per second over all connections; 0: no limit, the default. A `RateLimit` can be changed during the operation.
   */
  readonly maxBandwidth?: number | RateLimit | undefined
  /** Batches queued between the scan and the channels, 1 to 4096. Default 8. */
  readonly queueDepth?: number | undefined
  /** Bytes in a batch, 1 KiB to 16 MiB. Default 2 MiB. Buffers take at most twice channels × batch size. */
  readonly batchSize?: number | undefined
  /**
   * Time limits for the destination: `handshakeTimeout` to accept a connection, `idleTimeout` to continue reading or to
   * answer.
   */
  readonly limits?: Pick<PeerLimits.Input, "handshakeTimeout" | "idleTimeout"> | undefined
  /** Follows this operation. */
  readonly progress?: Progress | undefined
}

/**
 * Errors of sending.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export type SendError =
  | MigrationRequestError
  | IntegrityError
  | SealKeyError
  | RamBlock.RamBlockError
  | PipelineOptionsError
  | PeerLimits.LimitsError
  | CompressionLevelError
  | FileError
  | CompressionError
  | Exclude<ConnectionError.ConnectionError, ConnectionError.ListenError>
  | ProtocolError
  | PeerFailedError
