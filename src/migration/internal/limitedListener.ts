import * as Effect from "effect/Effect"
import type { Connection } from "../../io/Connection.ts"
import type { Listener } from "../../io/Listener.ts"
import * as RateLimit from "../../multifd/RateLimit.ts"

/**
 * A connection that is read no faster than the limit allows. What is not read slows the sender down, whatever it thinks of
 * limits itself.
 */
const limited = (connection: Connection, limit: RateLimit.RateLimit): Connection => {
  const paid = (bytes: number): Effect.Effect<void> => limit.take(bytes)
  return {
    peer: connection.peer,
    read: (targets) => RateLimit.writeParts(limit, targets, connection.read),
    readOrEnd: (target) =>
      Effect.tap(connection.readOrEnd(target), (there) => (there ? paid(target.length) : Effect.void)),
    readSome: (target) =>
      Effect.suspend(() => Effect.tap(connection.readSome(target.subarray(0, limit.piece())), paid)),
    write: connection.write,
    end: connection.end,
    get bytesRead() {
      return connection.bytesRead
    },
    get bytesWritten() {
      return connection.bytesWritten
    }
  }
}

/**
 * Accepts connections that share one limit.
 *
 * @internal
 */
export const limitedListener = (listener: Listener, limit: RateLimit.RateLimit): Listener => ({
  ...listener,
  accept: Effect.map(listener.accept, (connection) => limited(connection, limit))
})
