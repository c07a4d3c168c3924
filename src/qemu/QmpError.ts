/**
 * Errors of QEMU's monitor, one class for each reaction of a caller.
 *
 * @since 0.1.0
 */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../ram/TaggedError.ts"
import type { ConnectError, PeerTimeoutError, TlsError } from "../io/sockets/ConnectionError.ts"

const about = (command: string | undefined): string => (command === undefined ? "" : ` to ${JSON.stringify(command)}`)

/**
 * QEMU refused a command or could not execute it. `class` and `description` are QEMU's own words; its documentation has
 * the effect of a failed command, which is usually none. The connection stays usable. Exit code 10.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class QmpCommandError extends TaggedError<QmpCommandError>()("QmpCommandError", {
  /** The monitor's address. */
  peer: Schema.String,
  command: Schema.String,
  /** `GenericError`, `CommandNotFound`, `DeviceNotActive`, … */
  class: Schema.String,
  description: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 10
  override get message(): string {
    return `${this.peer}: QEMU refused ${JSON.stringify(this.command)}: ${this.description}`
  }
}

/**
 * The connection to the monitor ended: QEMU exited or crashed, or our side closed the connection. It is unknown if a
 * command without an answer was executed. Exit code 6.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class QmpDisconnectedError extends TaggedError<QmpDisconnectedError>()("QmpDisconnectedError", {
  /** The monitor's address. */
  peer: Schema.String,
  /** The command that was waiting for its answer, or to be sent. */
  command: Schema.optional(Schema.String),
  /** A likely cause, and where to look. */
  hint: Schema.optional(Schema.String),
  cause: Schema.optional(Schema.Defect())
}) {
  override readonly [Runtime.errorExitCode] = 6
  override get message(): string {
    const hint = this.hint === undefined ? "" : `; ${this.hint}`
    return `${this.peer}: the connection to QEMU's monitor ended before an answer${about(this.command)}${hint}`
  }
}

/**
 * The data is not QEMU's monitor protocol: another service listens there, or the result has an unknown form. The
 * connection is then unusable, except after a result of an unknown form. Exit code 8.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class QmpProtocolError extends TaggedError<QmpProtocolError>()("QmpProtocolError", {
  /** The monitor's address. */
  peer: Schema.String,
  /** The command of the result, or the one that was waiting for its answer. */
  command: Schema.optional(Schema.String),
  expected: Schema.String,
  found: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 8
  override get message(): string {
    const answer = this.command === undefined ? "" : `answer${about(this.command)}: `
    return `${this.peer}: ${answer}expected ${this.expected}, found ${this.found}`
  }
}

/**
 * A subscriber took its events so slowly that its queue overflowed. The connection and other subscribers are not
 * affected. Exit code 1.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class QmpEventsLostError extends TaggedError<QmpEventsLostError>()("QmpEventsLostError", {
  /** The monitor's address. */
  peer: Schema.String,
  /** Most events in the queue. */
  limit: Schema.Number
}) {
  override readonly [Runtime.errorExitCode] = 1
  override get message(): string {
    return `${this.peer}: a subscriber took its events too slowly: ${this.limit} of them were waiting`
  }
}

/**
 * Errors of a command. `PeerTimeoutError`: the answer did not come in time; the command may be executed later.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export type QmpError = QmpCommandError | QmpDisconnectedError | QmpProtocolError | PeerTimeoutError

/**
 * Errors of connecting to a monitor.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export type QmpConnectError = QmpError | ConnectError | TlsError

/**
 * Errors that end a stream of events.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export type QmpEventsError = QmpDisconnectedError | QmpProtocolError | QmpEventsLostError
