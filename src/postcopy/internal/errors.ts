import type * as Effect from "effect/Effect"
import type * as Connection from "../../io/sockets/Connection.ts"
import type * as ConnectionError from "../../io/sockets/ConnectionError.ts"
import type { PeerFailedError } from "../../multifd/PeerFailedError.ts"
import type { ProtocolError } from "../../multifd/ProtocolError.ts"

/** @internal */
export type ConnectError = Effect.Error<ReturnType<typeof Connection.connect>>

/** Failures of reading the return path. @internal */
export type ReadError =
  Connection.TransferError | ConnectionError.ConnectionEndedError | ProtocolError | PeerFailedError
