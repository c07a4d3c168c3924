import type { Calls } from "./networkModel.ts"
import { connect } from "./nodeConnect.ts"
import { listen } from "./nodeListen.ts"

/**
 * Node's own sockets.
 *
 * @internal
 */
export const node: Calls = { connect, listen }
