import * as SocketAddress from "../../io/sockets/SocketAddress.ts"
import type * as MigrationStatus from "../../migration/MigrationStatus.ts"
import { SocketUnreachableError } from "../VmError.ts"

/** The common fields of all errors here. */
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
  /** QEMU's side of the migration. */
  readonly role: MigrationStatus.Role
  /** The address of the migration's socket. */
  readonly address: SocketAddress.SocketAddress
}

/** Messages of a source that found no socket, and of a destination that could not create one, in all versions. */
const ofSource = /\bconnect\b/i
const ofDestination = /\b(?:socket|bind|unlink|listen|address)\b/i

/** QEMU's message, if it is about reaching the socket. A source that disconnects later is also noticed on this side. */
const ofQemu = (error: AnyError): { readonly words: string; readonly pattern: RegExp } | undefined => {
  const { command, description: words, here, role } = error
  if (typeof words !== "string") return undefined
  if (error._tag === "QmpCommandError" && command === "migrate-incoming") return { words, pattern: ofDestination }
  return error._tag === "QemuMigrationError" && role === "source" && here === undefined
    ? { words, pattern: ofSource }
    : undefined
}

/** The reason why one side could not reach the other's socket; `undefined`: the failure has another reason. */
const reasonOf = (error: AnyError, address: SocketAddress.SocketAddress): string | undefined => {
  if (error._tag === "ConnectError" && error.address === SocketAddress.format(address)) return error.message
  const { pattern, words } = ofQemu(error) ?? {}
  const isAbout = pattern?.test(words ?? "") || (address._tag === "Unix" && words?.includes(address.path))
  return isAbout === true ? words : undefined
}

/**
 * Replaces the error if the two sides of a migration could not meet, by one with a way out; other errors are unchanged.
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
