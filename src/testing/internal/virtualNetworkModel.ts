import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import { type SocketAddress } from "../../io/sockets/SocketAddress.ts"

/**
 * What happens to a connection.
 *
 * - `Refuse`: the attempt to connect fails (`ECONNREFUSED`), whoever listens; `at` does not matter
 * - `Ignore`: the attempt to connect is never answered; `at` does not matter
 * - `Cut`: both sides see the other's orderly end; what is still written fails with `EPIPE`
 * - `Reset`: both sides' calls fail with `ECONNRESET`; what was on its way is lost
 * - `Stall`: no byte goes further in this direction, and no end
 * - `Delay`: the same for a while, by Effect's clock
 * - `Corrupt`: this one byte arrives as its exclusive or with `mask`
 * - `Short`: from here on a read gets `bytes` bytes at the most
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
  /** So many bytes have been read in this direction when it happens; `Corrupt` damages the next one. Default 0. */
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
  /** Bytes of each side that the other one has read. */
  readonly fromConnector: number
  readonly fromListener: number
  /** Ends that were not closed: 0 to 2. */
  readonly open: number
}
