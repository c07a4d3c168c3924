import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import { type SocketAddress } from "../../io/sockets/SocketAddress.ts"

/**
 * A fault of a connection.
 *
 * - `Refuse`: the attempt to connect fails (`ECONNREFUSED`), even if there is a listener; `at` is ignored
 * - `Ignore`: the attempt to connect is never answered; `at` is ignored
 * - `Cut`: each side sees a proper end of the other; further writes fail with `EPIPE`
 * - `Reset`: both sides' calls fail with `ECONNRESET`; data in flight is lost
 * - `Stall`: no more bytes arrive in this direction, and no end
 * - `Delay`: like `Stall`, but for a limited time, by Effect's clock
 * - `Corrupt`: the byte arrives XORed with `mask`
 * - `Short`: from here each read gets at most `bytes` bytes
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type Fault = Data.TaggedEnum<{
  Refuse: {}
  Ignore: {}
  Cut: {}
  Reset: {}
  Stall: {}
  Delay: { readonly duration: Duration.Input }
  Corrupt: { readonly mask: number }
  Short: { readonly bytes: number }
}>

/**
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const Fault: Data.TaggedEnum.Constructor<Fault> = Data.taggedEnum<Fault>()

/**
 * A fault and its place.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Rule {
  readonly fault: Fault
  /** Counts the attempts to connect from 0. Default: every one. */
  readonly connection?: number | undefined
  /** The direction, by the side that writes. Default: the one that connected. */
  readonly from?: "connector" | "listener" | undefined
  /** Bytes read in this direction before the fault; `Corrupt` damages the next one. Default 0. */
  readonly at?: number | undefined
}

/**
 * One connection, as the network sees it.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Link {
  readonly address: SocketAddress
  /** Bytes from each side that the other one has read. */
  readonly fromConnector: number
  readonly fromListener: number
  /** Ends that were not closed: 0 to 2. */
  readonly open: number
}
