import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as ConnectionError from "../ConnectionError.ts"
import { codeOf } from "../../internal/errno.ts"
import { type ErrnoError, type Listening, type ListenOptions, Network } from "../Network.ts"
import { format, type SocketAddress } from "../SocketAddress.ts"

/**
 * @internal
 */
export const listenError = (
  address: SocketAddress,
  operation: ConnectionError.ListenError["operation"],
  cause: ErrnoError
): ConnectionError.ListenError =>
  new ConnectionError.ListenError({ address: format(address), operation, code: codeOf(cause), cause })

/**
 * Stops listening, without waiting for connections.
 *
 * @internal
 */
export const stop = (listening: Listening): Effect.Effect<void> =>
  Effect.uninterruptible(Effect.callback<void>((resume) => listening.close(() => resume(Effect.void))))

/**
 * Listens on the network's sockets. `began` is called at once: an interruption at that very moment would lose the
 * listener.
 *
 * @internal
 */
export const listen = (
  address: SocketAddress,
  options: ListenOptions,
  began: (listening: Listening) => void
): Effect.Effect<Listening, ConnectionError.ListenError> =>
  Effect.flatMap(Network, (network) =>
    Effect.callback((resume) => {
      const cancel = network.listen(address, options, (answer) => {
        if (Result.isSuccess(answer)) began(answer.success)
        resume(Effect.mapError(Effect.fromResult(answer), (cause) => listenError(address, "listen", cause)))
      })
      return Effect.sync(cancel)
    })
  )
