/**
 * What to send, and to whom.
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
 * Who tells zero pages from others, as QEMU's parameter of that name.
 *
 * - `none`: nobody, each page is sent with its bytes.
 * - `legacy`: whoever fills the queue, and the main channel lists them. Every QEMU understands it.
 * - `multifd`: the channels, in their packets; QEMU 9.0 and later.
 *
 * Pages that an image does not have are known to be zero; with `none` their zeros are sent all the same.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type ZeroPageDetection = "none" | "legacy" | "multifd"

/**
 * What to send, and to whom.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface SendOptions<out E = never> {
  /** An image, another snapshot, or blocks with what else belongs to the machine. */
  readonly source: MachineSource<E>
  /** Where the destination listens. */
  readonly to: SocketAddress
  /** Secures all connections. Default: they are not. */
  readonly tls?: TlsCredentials.Client | undefined
  /** Number of channels, 1 to 255, the same on both sides; 0: no multifd, the main channel carries the pages. Default 2, as in QEMU. */
  readonly channels?: number | undefined
  /** How payloads are compressed, the same on both sides. Default `none`. */
  readonly compression?: Method | undefined
  /** The level of the compression. Default: the method's own, 1. */
  readonly level?: number | undefined
  /** Default: as QEMU does for the machine type, `legacy` up to 8.2 and `multifd` later. */
  readonly zeroPageDetection?: ZeroPageDetection | undefined
  /**
   * What tells the destination that all channels have synced, `each-round` or `each-section`. A QEMU that waits for the
   * other one hangs. Default: what the source did, where the image's notes say it; otherwise as QEMU does for the machine
   * type, `each-section` up to 8.0 and `each-round` later and for names that say nothing (`MachineType.versionOf`).
   */
  readonly marks?: Exclude<Marks, "none"> | undefined
  /** The guest's, 16 bytes in the order in which it is written down. Default: the source's, or zeros where it has none. */
  readonly uuid?: Uint8Array | undefined
  /** Whether an image goes although pages of it were lost in a recovery, and are zeros. Default `false`. */
  readonly allowLost?: boolean | undefined
  /**
   * Whether the destination is asked to say when it has everything (QEMU's `return-path`). Default `true`; without it, only
   * the end of its connection tells, which looks the same when it failed at the very last.
   */
  readonly returnPath?: boolean | undefined
  /** Bytes a second over all connections; 0: no limit, the default. A `RateLimit` can be changed while it goes on. */
  readonly maxBandwidth?: number | RateLimit | undefined
  /** Batches that wait between the scan and the channels, 1 to 4096. Default 8. */
  readonly queueDepth?: number | undefined
  /** Bytes in a batch, 1 KiB to 16 MiB. Default 2 MiB. Buffers take no more than twice channels × batch size. */
  readonly batchSize?: number | undefined
  /** How long the destination may take: `handshakeTimeout` to accept a connection, `idleTimeout` to read on or to answer. */
  readonly limits?: Pick<PeerLimits.Input, "handshakeTimeout" | "idleTimeout"> | undefined
  /** Follows this one operation. */
  readonly progress?: Progress | undefined
}

/**
 * Why sending failed.
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
