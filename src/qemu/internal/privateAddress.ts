import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Os from "node:os"
import * as Path from "node:path"
import type { FileError } from "../../io/files/FileError.ts"
import * as PrivateDirectory from "../../io/files/PrivateDirectory.ts"
import * as SocketAddress from "../../io/sockets/SocketAddress.ts"

const SOCKET = "migration"
/** As long as the names made by `PrivateDirectory`: mkdtemp(3) adds six characters. */
const DIRECTORY = `multifd-${"0".repeat(6)}`

const hasRoom = (parent: string): boolean =>
  Buffer.byteLength(Path.join(parent, DIRECTORY, SOCKET)) <= SocketAddress.MAX_UNIX_PATH

const UNIX = "unix:"

/** A directory in which QEMU's monitor is can be reached by QEMU. */
const besideMonitor = (peer: string): ReadonlyArray<string> =>
  peer.startsWith(UNIX) ? [Path.dirname(Path.resolve(peer.slice(UNIX.length)))] : []

const ownRuntime = (): ReadonlyArray<string> => {
  const uid = process.getuid?.()
  return uid === undefined ? [] : [`/run/user/${uid}`]
}

const LAST = "/tmp"

const makeIn = (parent: string): Effect.Effect<SocketAddress.UnixAddress, FileError, Scope.Scope> =>
  Effect.map(PrivateDirectory.makeIn(parent), (directory) => SocketAddress.unix(Path.join(directory, SOCKET)))

/**
 * A path for a socket that only this user can reach: in the directory for temporary files. If that name is too long for
 * a socket, the first writable one of: the monitor's directory, the user's runtime directory, `/tmp`.
 *
 * @internal
 */
export const privateAddress = (monitor: {
  readonly peer: string
}): Effect.Effect<SocketAddress.UnixAddress, FileError, Scope.Scope> =>
  Effect.suspend(() => {
    const temporary = Os.tmpdir()
    if (hasRoom(temporary)) return makeIn(temporary)
    return [...besideMonitor(monitor.peer), ...ownRuntime()]
      .filter(hasRoom)
      .map(makeIn)
      .reduceRight((rest, first) => Effect.catch(first, () => rest), makeIn(LAST))
  })
