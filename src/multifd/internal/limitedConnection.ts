import * as Effect from "effect/Effect"
import type { Connection } from "../../io/sockets/Connection.ts"
import * as RateLimit from "../../transfer/RateLimit.ts"
import type { Watchdog } from "../Watchdog.ts"

/**
 * A connection whose reads respect the limit. Unread data slows the sender down, whatever its own limits, and the time
 * that this takes does not count against it.
 *
 * @internal
 */
export const limitedConnection = (
  connection: Connection,
  rateLimit: RateLimit.RateLimit,
  watchdog: Pick<Watchdog, "working">
): Connection => {
  const paid = (bytes: number): Effect.Effect<void> =>
    rateLimit.bytesPerSecond() === 0 ? Effect.void : watchdog.working(rateLimit.take(bytes))
  const limit = { ...rateLimit, take: paid }
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
