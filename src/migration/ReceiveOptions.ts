/**
 * What to receive, from whom, and where to.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { Method } from "../compression/Compression.ts"
import type { ImageNotes } from "../format/seal/ImageNotes.ts"
import type { FileError } from "../io/files/FileError.ts"
import type { SocketAddress } from "../io/sockets/SocketAddress.ts"
import type * as TlsCredentials from "../io/sockets/TlsCredentials.ts"
import type * as PeerLimits from "../multifd/PeerLimits.ts"
import type { PipelineOptionsError } from "../transfer/PipelineOptions.ts"
import type { DevicePacket } from "../multifd/ReceiveChannel.ts"
import type { RateLimit } from "../transfer/RateLimit.ts"
import type { ReceiverError } from "../multifd/Receiver.ts"
import type * as RamBlock from "../ram/RamBlock.ts"
import type * as ImageTarget from "../image/ImageTarget.ts"
import type { MigrationRequestError } from "../snapshot/MigrationRequestError.ts"
import type { Target } from "./internal/migrationModel.ts"
import type { Progress } from "./Progress.ts"

/**
 * What to receive, from whom, and where to.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface ReceiveOptions<out A = void, out E = never> extends ImageTarget.Options {
  /** Where the machine goes; `BlocksTarget.make` makes a target of RAM blocks. */
  readonly target: Target<A, E>
  /** What is noted of the machine beside its stream. It counts more than what the sender says. Default: nothing. */
  readonly notes?: ImageNotes | undefined
  /** Where to listen for one sender; TCP port 0 is any free port, and no host is this machine alone. */
  readonly listen: SocketAddress
  /** Secures all connections; senders without TLS are refused. Default: they are not secured. */
  readonly tls?: TlsCredentials.Server | undefined
  /** Told the real address as soon as a sender may connect. */
  readonly onListening?: ((address: SocketAddress) => Effect.Effect<void>) | undefined
  /**
   * Told who else can send or read along, when others than this machine can connect without being asked who they are
   * (`AddressWarnings.ofListener`). Default: a warning in the log.
   */
  readonly onProblem?: ((problem: string) => Effect.Effect<void>) | undefined
  /** Number of channels, 1 to 255, the same on both sides; 0: a sender without multifd. Default 2, as in QEMU. */
  readonly channels?: number | undefined
  /** How payloads are compressed, the same on both sides. Default `none`. */
  readonly compression?: Method | undefined
  /** The guest's, 16 bytes in the order in which it is written down. Default: any, but the same on all channels. */
  readonly uuid?: Uint8Array | undefined
  /** Bytes of a page where the sender's configuration does not say, a power of two. Default 4096. */
  readonly pageSize?: number | undefined
  /**
   * Bytes a second over all connections; 0: no limit, the default. It is kept by reading no faster, whatever the sender takes
   * for its own limit. A `RateLimit` can be changed while it goes on.
   */
  readonly maxBandwidth?: number | RateLimit | undefined
  /**
   * Whether the sender's question whether it may switch over is answered (QEMU's capability `switchover-ack`): without an
   * answer it keeps its guest running for ever. Nothing on the connection tells whether it waits for one, and QEMU 11.1 fails
   * when it does not. Default: by the machine type, yes from 8.1 up to 11.0, where it is harmless, and otherwise no.
   */
  readonly switchoverAck?: boolean | undefined
  /** What the sender may ask for, and how long it may take. */
  readonly limits?: PeerLimits.Input | undefined
  /** Zero pages between two runs that are written along rather than skipped. Default 4; costs room on the disk. */
  readonly coalescePages?: number | undefined
  /**
   * Done when everything has arrived and was found to be whole, before it is made durable. A sender that has asked for an
   * answer (`return-path`) is still waiting for it, and whatever becomes of its connections from now on does not matter: the
   * caller knows. Without it, a sender that hangs up before it has its answer has failed (`SenderLeftError`).
   */
  readonly onReceived?: Effect.Effect<void> | undefined
  /** Takes device state that devices send on the channels (vfio, from QEMU 10.0). Default: it is an error. */
  readonly onDevicePacket?: ((packet: DevicePacket) => Effect.Effect<void, E>) | undefined
  /** Follows this one operation; make it with `Progress.makeDestination`. */
  readonly progress?: Progress | undefined
}

/**
 * Why receiving failed.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export type ReceiveError =
  | MigrationRequestError
  | RamBlock.RamBlockError
  | PipelineOptionsError
  | PeerLimits.LimitsError
  | FileError
  | ReceiverError
