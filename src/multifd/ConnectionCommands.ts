/**
 * Commands before RAM's START, from one end of a connection to the other.
 *
 * @since 0.1.0
 */
import * as Bytes from "effect/Bytes"
import * as MigrationStream from "../format/stream/MigrationStream.ts"

/** Type, number and length. */
const COMMAND_HEAD = 5

/** Commands that belong to a connection, not to the machine saved from it. */
const ofConnection: ReadonlySet<number> = new Set([
  MigrationStream.Command.openReturnPath,
  MigrationStream.Command.ping
])

/** A second ADVISE is an error of a postcopy migration. */
const ofPostcopy: ReadonlySet<number> = new Set([...ofConnection, MigrationStream.Command.postcopyAdvise])

/**
 * The sections to send before RAM's START: the saved ones, without the commands of their old connection, and with our
 * own request for an answer. Two such requests would be an error for the peer.
 *
 * @internal
 */
export const preludeWith = (saved: Uint8Array, returnPath: boolean): Uint8Array =>
  preludeOf(
    saved,
    ofConnection,
    returnPath ? [MigrationStream.encodeCommand(MigrationStream.Command.openReturnPath)] : []
  )

/**
 * The same for a postcopy migration, with its own commands first.
 *
 * @internal
 */
export const postcopyPreludeWith = (saved: Uint8Array, commands: ReadonlyArray<Uint8Array>): Uint8Array =>
  preludeOf(saved, ofPostcopy, commands)

const preludeOf = (saved: Uint8Array, left: ReadonlySet<number>, commands: ReadonlyArray<Uint8Array>): Uint8Array => {
  const parts = [...commands]
  let at = 0
  while (saved.length - at >= COMMAND_HEAD && saved[at] === MigrationStream.SectionType.command) {
    const head = new DataView(saved.buffer, saved.byteOffset + at, COMMAND_HEAD)
    const end = at + COMMAND_HEAD + head.getUint16(3)
    if (!left.has(head.getUint16(1))) parts.push(saved.subarray(at, end))
    at = end
  }
  return Bytes.concat([...parts, saved.subarray(at)])
}
