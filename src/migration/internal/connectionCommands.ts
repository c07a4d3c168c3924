import * as MigrationStream from "../../format/stream/MigrationStream.ts"

/** Type, number and length. */
const COMMAND_HEAD = 5

/** What belongs to a connection, and not to the machine that was saved from it. */
const ofConnection: ReadonlySet<number> = new Set([
  MigrationStream.Command.openReturnPath,
  MigrationStream.Command.ping
])

/**
 * The sections in front of RAM's START as they are sent: the saved ones, but what was said between the connection's two
 * ends; instead of that, the question for an answer of our own. Two such questions would be an error of the peer's.
 *
 * @internal
 */
export const preludeWith = (saved: Uint8Array, returnPath: boolean): Uint8Array => {
  const parts = returnPath ? [MigrationStream.encodeCommand(MigrationStream.Command.openReturnPath)] : []
  let at = 0
  while (saved.length - at >= COMMAND_HEAD && saved[at] === MigrationStream.SectionType.command) {
    const head = new DataView(saved.buffer, saved.byteOffset + at, COMMAND_HEAD)
    const end = at + COMMAND_HEAD + head.getUint16(3)
    if (!ofConnection.has(head.getUint16(1))) parts.push(saved.subarray(at, end))
    at = end
  }
  return new Uint8Array(Buffer.concat([...parts, saved.subarray(at)]))
}
