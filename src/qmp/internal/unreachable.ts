import * as SocketAddress from "../../io/SocketAddress.ts"
import { SocketUnreachableError } from "../VmError.ts"

/** As much as is known of any error here. */
interface AnyError {
  readonly _tag: string
  readonly message: string
}

interface Place {
  /** The monitor's address. */
  readonly peer: string
  /** Where the migration's socket is. */
  readonly address: SocketAddress.SocketAddress
}

/** What QEMU says of a socket, whichever its version: where it is, or what could not be done with it. */
const aboutSockets = /\b(?:connect|socket|bind|unlink|listen|address)\b/i

const isAbout = (words: string, address: SocketAddress.SocketAddress): boolean =>
  aboutSockets.test(words) || (address._tag === "Unix" && words.includes(address.path))

/** QEMU's words or ours, where one side could not come to the socket of the other; `undefined`: it failed of something else. */
const wordsOf = (error: AnyError, address: SocketAddress.SocketAddress): string | undefined => {
  if (error._tag === "ConnectError" && "address" in error && error.address === SocketAddress.format(address)) {
    return error.message
  }
  // A source that came here and broke off has something to say on this side, too.
  const isFirst =
    (error._tag === "QmpCommandError" && "command" in error && error.command === "migrate-incoming") ||
    (error._tag === "QemuMigrationError" &&
      "role" in error &&
      error.role === "source" &&
      !("here" in error && error.here))
  if (!isFirst || !("description" in error) || typeof error.description !== "string") return undefined
  return isAbout(error.description, address) ? error.description : undefined
}

/**
 * An error that says that the two sides of a migration did not come together, and the way out; any other error as it is.
 *
 * @internal
 */
export const explain =
  ({ address, peer }: Place) =>
  <E extends AnyError>(error: E): E | SocketUnreachableError => {
    const description = wordsOf(error, address)
    return description === undefined
      ? error
      : new SocketUnreachableError({ peer, address: SocketAddress.format(address), description })
  }
