/**
 * Options of receiving.
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
 * Options of receiving.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface ReceiveOptions<out A = void, out E = never> extends ImageTarget.Options {
  /** The destination of the machine; `BlocksTarget.make` makes a target of RAM blocks. */
  readonly target: Target<A, E>
  /** Notes on the machine besides its stream. They override the sender's. Default: none. */
  readonly notes?: ImageNotes | undefined
  /** The address to listen on for one sender; TCP port 0 is any free port, and an empty host is this machine alone. */
  readonly listen: SocketAddress
  /** TLS credentials for all connections; senders without TLS are refused. Default: no TLS. */
  readonly tls?: TlsCredentials.Server | undefined
  /** Called with the actual address as soon as a sender may connect. */
  readonly onListening?: ((address: SocketAddress) => Effect.Effect<void>) | undefined
  /**
   * Called with a warning if other machines can connect without authentication, and send or read along
   * (`AddressWarnings.ofListener`). Default: a warning in the log.
   */
  readonly onProblem?: ((problem: string) => Effect.Effect<void>) | undefined
  /** Number of channels, 1 to 255, the same on both sides; 0: a sender without multifd. Default 2, as in QEMU. */
  readonly channels?: number | undefined
  /** Compression of the payloads, the same on both sides. Default `none`. */
  readonly compression?: Method | undefined
  /** The guest's UUID, 16 bytes in the order of its text. Default: any, but the same on all channels. */
  readonly uuid?: Uint8Array | undefined
  /** Bytes in a page, a power of two, unless the sender's configuration gives the size. Default 4096. */
  readonly pageSize?: number | undefined
  /**
   * Bytes per second over all connections; 0: no limit, the default. The receiver enforces it by reading no faster,
   * independently of the sender's own limit. A `RateLimit` can be changed during the operation.
   */
  readonly maxBandwidth?: number | RateLimit | undefined
  /**
   * `true` to answer the sender's request to switch over (QEMU's capability `switchover-ack`): without an answer it
   * keeps its guest running forever. Nothing on the connection shows if it waits for one, and QEMU 11.1 fails on an
   * answer that it does not wait for. Default: by the machine type, `true` from 8.1 to 11.0, where it is harmless, and
   * otherwise `false`.
   */
  readonly switchoverAck?: boolean | undefined
  /** Limits on the sender's demands and its time. */
  readonly limits?: PeerLimits.Input | undefined
  /** Largest gap of zero pages between two runs that is written rather than skipped. Default 4; it takes disk space. */
  readonly coalescePages?: number | undefined
  /**
   * Runs when everything has arrived and is complete, before it is made durable. A sender that has asked for an answer
   * (`return-path`) is still waiting for it, and its connections no longer matter: the caller knows its fate. Without
   * this option, a sender that closes before it has its answer has failed (`SenderLeftError`).
   */
  readonly onReceived?: Effect.Effect<void> | undefined
  /** Takes the device state that devices send on the channels (vfio, from QEMU 10.0). Default: it is an error. */
  readonly onDevicePacket?: ((packet: DevicePacket) => Effect.Effect<void, E>) | undefined
  /** Follows this operation; make it with `Progress.makeDestination`. */
  readonly progress?: Progress | undefined
}

/**
 * Errors of receiving.
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
