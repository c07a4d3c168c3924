import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as MultifdInit from "../../format/multifd/MultifdInit.ts"
import * as MultifdPacket from "../../format/multifd/MultifdPacket.ts"
import * as Connection from "../../io/sockets/Connection.ts"
import * as ConnectionError from "../../io/sockets/ConnectionError.ts"
import type { ConnectError } from "./errors.ts"
import type { Options } from "./model.ts"

/** @internal */
export const connect = (
  { connectTimeout, tls, to }: Pick<Options<unknown>, "connectTimeout" | "tls" | "to">,
  channel: number | "main"
): Effect.Effect<Connection.Connection, ConnectError, Scope.Scope> =>
  Effect.mapError(Connection.connect({ address: to, tls, connectTimeout }), ConnectionError.at({ channel }))

/**
 * The channels that a destination with multifd waits for, and that carry no data.
 *
 * @internal
 */
export const connectIdle = Effect.fnUntraced(function* (
  options: Pick<Options<unknown>, "connectTimeout" | "tls" | "to" | "channels" | "uuid">,
  pageSize: number
): Effect.fn.Return<void, ConnectError | Connection.TransferError, Scope.Scope> {
  const { channels = 0, uuid = MultifdInit.noUuid() } = options
  for (let id = 0; id < channels; id++) {
    const connection = yield* connect(options, id)
    const sync = MultifdPacket.encodeSync(0, pageSize)
    yield* connection.write([MultifdInit.encode({ id, uuid }), sync])
  }
})
