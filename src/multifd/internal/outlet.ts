import * as Effect from "effect/Effect"
import type { Connection, TransferError } from "../../io/sockets/Connection.ts"
import * as ConnectionError from "../../io/sockets/ConnectionError.ts"
import * as RateLimit from "../../transfer/RateLimit.ts"
import type { Watchdog } from "../Watchdog.ts"

/**
 * The common settings of all connections of a sender.
 *
 * @internal
 */
export interface Flow {
  /** The migration's limit. Default: none. */
  readonly rateLimit?: RateLimit.RateLimit | undefined
  /** Notified of everything that the peer takes, and of time in which we do not wait for the peer. */
  readonly watchdog?: Pick<Watchdog, "alive" | "working"> | undefined
  /** Called with the number of bytes of each write. */
  readonly onWritten?: ((bytes: number) => void) | undefined
}

const byteLength = (parts: ReadonlyArray<Uint8Array>): number => parts.reduce((sum, part) => sum + part.length, 0)

/**
 * Writes to one connection of a sender, within the limit. The watchdog sees what the peer takes and does not count the
 * time of the limit, and errors name the connection.
 *
 * @internal
 */
export const makeOutlet = (
  connection: Connection,
  channel: number | "main",
  { onWritten, rateLimit, watchdog }: Flow
): ((parts: ReadonlyArray<Uint8Array>) => Effect.Effect<void, TransferError>) => {
  const write = (parts: ReadonlyArray<Uint8Array>): Effect.Effect<void, TransferError> =>
    connection.write(parts).pipe(
      Effect.map(() => {
        watchdog?.alive()
        onWritten?.(byteLength(parts))
      }),
      Effect.mapError(ConnectionError.at({ channel }))
    )
  if (rateLimit === undefined) return write
  const take = (bytes: number): Effect.Effect<void> =>
    rateLimit.bytesPerSecond() === 0 ? Effect.void : (watchdog?.working(rateLimit.take(bytes)) ?? rateLimit.take(bytes))
  const limit = { ...rateLimit, take }
  return (parts) => RateLimit.writeParts(limit, parts, write)
}
