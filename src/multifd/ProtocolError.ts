/**
 * A peer that violates the migration protocol.
 *
 * @since 0.1.0
 */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../ram/TaggedError.ts"
import { Finding } from "../format/Finding.ts"

/**
 * The connection of a finding: a channel's number, from 0, or `main` for the connection that carries the migration
 * stream. `undefined` if the connection has not identified itself.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Place = number | "main" | undefined

/**
 * The peer sent invalid data, left required data out, or sent data that only a real machine can take.
 *
 * **Details**
 *
 * The finding has the expected and the found data and the byte of the connection, but never guest memory. Trying again
 * helps only if the settings of the two sides differ, such as the number of channels or the compression method. Exit
 * code 8.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class ProtocolError extends TaggedError<ProtocolError>()("ProtocolError", {
  /** The address of the other side. */
  peer: Schema.String,
  channel: Schema.optional(Schema.Union([Schema.Number, Schema.Literal("main")])),
  /** The problems, with the reason for the error first. Offsets count from the connection's first byte. */
  findings: Schema.NonEmptyArray(Finding)
}) {
  override readonly [Runtime.errorExitCode] = 8

  override get message(): string {
    const more = this.findings.length > 1 ? ` (and ${this.findings.length - 1} more)` : ""
    return `${where(this.peer, this.channel)}: ${this.findings[0].message}${more}`
  }
}

const where = (peer: string, channel: Place): string => {
  if (channel === undefined) return peer
  return `${peer} (${channel === "main" ? "main channel" : `channel ${channel}`})`
}

/**
 * The error for one finding.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const fromFinding = (peer: string, channel: Place, finding: Finding): ProtocolError =>
  new ProtocolError({ peer, channel, findings: [finding] })
