/**
 * What can go wrong between a program and QEMU's monitor, one class for each thing that a caller can do about it.
 *
 * @since 0.1.0
 */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import type { ConnectError, PeerTimeoutError, TlsError } from "../io/sockets/ConnectionError.ts"

const about = (command: string | undefined): string => (command === undefined ? "" : ` to ${JSON.stringify(command)}`)

/**
 * QEMU refused a command or could not do it. `class` and `description` are its own words; what the command does on failure
 * is QEMU's documentation's to say, mostly nothing. The connection goes on. Exit code 10.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class QmpCommandError extends Schema.TaggedError<QmpCommandError>()("QmpCommandError", {
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
 * The connection to the monitor ended: QEMU exited or crashed, or the connection was closed on our side. Whether a command
 * that waits for its answer was done is unknown. Exit code 6.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class QmpDisconnectedError extends Schema.TaggedError<QmpDisconnectedError>()("QmpDisconnectedError", {
  /** The monitor's address. */
  peer: Schema.String,
  /** The command that was waiting for its answer, or that was to be sent. */
  command: Schema.optional(Schema.String),
  /** What it may mean where it happened, and where to look. */
  hint: Schema.optional(Schema.String),
  cause: Schema.optional(Schema.Defect())
}) {
  override readonly [Runtime.errorExitCode] = 6
  override get message(): string {
    const hint = this.hint === undefined ? "" : `; ${this.hint}`
    return `${this.peer}: expected QEMU to answer${about(this.command)}, the connection to its monitor has ended${hint}`
  }
}

/**
 * What came is not QEMU's monitor protocol: another service listens there, or the answer has another form than is known. The
 * connection is of no use any more, except after an answer of an unknown form. Exit code 8.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class QmpProtocolError extends Schema.TaggedError<QmpProtocolError>()("QmpProtocolError", {
  /** The monitor's address. */
  peer: Schema.String,
  /** The command whose answer it was, or that was waiting for one. */
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
 * A subscriber took its events so slowly that there was no room for another one. The connection and other subscribers go on.
 * Exit code 1.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class QmpEventsLostError extends Schema.TaggedError<QmpEventsLostError>()("QmpEventsLostError", {
  /** The monitor's address. */
  peer: Schema.String,
  /** How many events there is room for. */
  limit: Schema.Number
}) {
  override readonly [Runtime.errorExitCode] = 1
  override get message(): string {
    return `${this.peer}: expected events to be taken as they come, found ${this.limit} of them waiting`
  }
}

/**
 * What a command fails with. `PeerTimeoutError`: the answer did not come in time; the command may be done later.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export type QmpError = QmpCommandError | QmpDisconnectedError | QmpProtocolError | PeerTimeoutError

/**
 * What connecting to a monitor fails with.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export type QmpConnectError = QmpError | ConnectError | TlsError

/**
 * What ends a stream of events.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export type QmpEventsError = QmpDisconnectedError | QmpProtocolError | QmpEventsLostError
