/**
 * The library's calls on sockets, as a service.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import { node } from "./internal/nodeNetwork.ts"
import type { Calls } from "./internal/networkModel.ts"

export type {
  Calls,
  ConnectOptions,
  ErrnoError,
  Incoming,
  Listening,
  ListenOptions,
  Transport
} from "./internal/networkModel.ts"

/**
 * The service. Its default is Node's own sockets, so real ones need no layer. Provide another one to run a whole
 * migration on a virtual network.
 *
 * @stability unstable
 * @category services
 * @since 0.1.0
 */
export const Network: Context.Reference<Calls> = Context.Reference<Calls>("effect-multifd/io/Network", {
  defaultValue: () => node
})
