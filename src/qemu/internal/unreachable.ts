import * as SocketAddress from "../../io/sockets/SocketAddress.ts"
import type * as MigrationStatus from "../../migration/MigrationStatus.ts"
import { SocketUnreachableError } from "../VmError.ts"

/** As much as is known of any error here. */
interface AnyError {
  readonly _tag: string
  readonly message: string
  readonly address?: unknown
  readonly command?: unknown
  readonly description?: unknown
  readonly here?: unknown
  readonly role?: unknown
}

interface Place {
  /** The monitor's address. */
  readonly peer: string
  /** Which side QEMU is. */
  readonly role: MigrationStatus.Role
  /** Where the migration's socket is. */
  readonly address: SocketAddress.SocketAddress
}

/** What a source says that found no socket, and what a destination says that could make none, whichever the version. */
const ofSource = /\bconnect\b/i
const ofDestination = /\b(?:socket|bind|unlink|listen|address)\b/i

/** QEMU's words, where they are about how it came to the socket. A source that broke off later is seen on this side, too. */
const ofQemu = (error: AnyError): { readonly words: string; readonly pattern: RegExp } | undefined => {
  const { command, description: words, here, role } = error
  if (typeof words !== "string") return undefined
  if (error._tag === "QmpCommandError" && command === "migrate-incoming") return { words, pattern: ofDestination }
  return error._tag === "QemuMigrationError" && role === "source" && here === undefined
    ? { words, pattern: ofSource }
    : undefined
}

/** Why one side could not come to the socket of the other; `undefined`: it failed of something else. */
const reasonOf = (error: AnyError, address: SocketAddress.SocketAddress): string | undefined => {
  if (error._tag === "ConnectError" && error.address === SocketAddress.format(address)) return error.message
  const { pattern, words } = ofQemu(error) ?? {}
  const isAbout = pattern?.test(words ?? "") || (address._tag === "Unix" && words?.includes(address.path))
  return isAbout === true ? words : undefined
}

/**
 * An error that says that the two sides of a migration did not come together, and the way out; any other error as it is.
 *
 * @internal
 */
export const explain =
  ({ address, peer, role }: Place) =>
  <E extends AnyError>(error: E): E | SocketUnreachableError => {
    const description = reasonOf(error, address)
    return description === undefined
      ? error
      : new SocketUnreachableError({ peer, role, address: SocketAddress.format(address), description })
  }
