import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { FileError } from "../../io/FileError.ts"
import * as PrivateDirectory from "../../io/PrivateDirectory.ts"
import * as SocketAddress from "../../io/SocketAddress.ts"

/**
 * A place for a socket that only this user can reach.
 *
 * @internal
 */
export const privateAddress: Effect.Effect<SocketAddress.UnixAddress, FileError, Scope.Scope> = Effect.map(
  PrivateDirectory.make,
  (directory) => SocketAddress.unix(`${directory}/migration`)
)
