/**
 * Errors of connections, one class for each reaction of a caller.
 *
 * @since 0.1.0
 */
import { dual } from "effect/Function"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../../ram/TaggedError.ts"

/**
 * The connection of a migration. Unknown fields are left out.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Place {
  /** The channel's number, from 0, or `main` for the connection that carries the migration stream. */
  readonly channel?: number | "main" | undefined
}

const channel = Schema.optional(Schema.Union([Schema.Number, Schema.Literal("main")]))

const failure = {
  /** The errno's name, or the TLS library's name. */
  code: Schema.String,
  channel,
  cause: Schema.optional(Schema.Defect())
}

/** `tcp:127.0.0.1:4444 (channel 3)` */
const where = (peer: string, { channel }: Place): string => {
  if (channel === undefined) return peer
  return `${peer} (${channel === "main" ? "main channel" : `channel ${channel}`})`
}

/**
 * Connecting to the address failed: refused, unreachable, or no such name or socket file. Nothing was sent. Exit code
 * 6.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class ConnectError extends TaggedError<ConnectError>()("ConnectError", {
  /** The address as a migration URI. */
  address: Schema.String,
  ...failure
}) {
  override readonly [Runtime.errorExitCode] = 6
  override get message(): string {
    return `${where(this.address, this)}: cannot connect (${this.code})`
  }
}

/**
 * Listening on the address failed: it is in use (`EADDRINUSE`), belongs to another machine, or is not permitted; or a
 * listener stopped (`accept`). Exit code 6.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class ListenError extends TaggedError<ListenError>()("ListenError", {
  /** The address as a migration URI. */
  address: Schema.String,
  operation: Schema.Literals(["listen", "accept"]),
  ...failure
}) {
  override readonly [Runtime.errorExitCode] = 6
  override get message(): string {
    return `${where(this.address, this)}: cannot ${this.operation} (${this.code})`
  }
}

/**
 * The connection broke: the peer reset it, its machine became unreachable, or our side closed it. It is unknown how
 * much of the written data has arrived. Exit code 6.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class ConnectionLostError extends TaggedError<ConnectionLostError>()("ConnectionLostError", {
  /** The address of the other side. */
  peer: Schema.String,
  operation: Schema.Literals(["read", "write", "end"]),
  ...failure
}) {
  override readonly [Runtime.errorExitCode] = 6
  override get message(): string {
    return `${where(this.peer, this)}: connection lost (${this.operation}: ${this.code})`
  }
}

/**
 * The peer ended its side properly, but too early: of `expected` bytes, `found` arrived. Exit code 6.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class ConnectionEndedError extends TaggedError<ConnectionEndedError>()("ConnectionEndedError", {
  /** The address of the other side. */
  peer: Schema.String,
  expected: Schema.Number,
  found: Schema.Number,
  channel
}) {
  override readonly [Runtime.errorExitCode] = 6
  override get message(): string {
    return `${where(this.peer, this)}: expected ${this.expected} more bytes, the peer closed the connection after ${this.found}`
  }
}

const tlsReasons = {
  credentials: "the credentials cannot be used",
  plaintext: "the peer does not speak TLS",
  certificate: "the peer's certificate is not trusted",
  hostname: "the peer's certificate is for another host",
  key: "the peer does not use a key that we know",
  refused: "the peer refused the handshake",
  handshake: "the handshake failed",
  record: "data from the peer was damaged on the way"
} as const

/**
 * The kind of TLS problem.
 *
 * - `credentials`: our own files are missing or unusable; `path` names them
 * - `plaintext`: the peer does not speak TLS
 * - `certificate`: the peer's certificate is missing, expired, revoked, or signed by an unknown authority
 * - `hostname`: the peer's certificate is for other hosts
 * - `key`: the peer uses another pre-shared key, or one that we do not have
 * - `refused`: the peer ended the handshake, with or without an alert; it may have rejected our certificate or key
 * - `handshake`: any other failure before the first byte
 * - `record`: a damaged record after the handshake
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type TlsReason = keyof typeof tlsReasons

/**
 * A secure connection could not be made, or was damaged. No byte of the migration was sent unprotected. Exit code 8;
 * for `credentials`, which are our own files, 6.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class TlsError extends TaggedError<TlsError>()("TlsError", {
  /** The address of the other side; for unusable credentials, the file or directory. */
  peer: Schema.String,
  reason: Schema.Literals(Object.keys(tlsReasons) as ReadonlyArray<TlsReason>),
  /** The expected and the found value, if `code` is not enough. */
  detail: Schema.optional(Schema.String),
  ...failure
}) {
  override readonly [Runtime.errorExitCode] = this.reason === "credentials" ? 6 : 8
  override get message(): string {
    return `${where(this.peer, this)}: TLS: ${tlsReasons[this.reason]} (${this.detail ?? this.code})`
  }
}

/**
 * The peer did not act in time. Exit code 9.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class PeerTimeoutError extends TaggedError<PeerTimeoutError>()("PeerTimeoutError", {
  /** The address of the other side. */
  peer: Schema.String,
  /** The expected action, such as `an answer to the attempt to connect`. */
  expected: Schema.String,
  /** The time that we waited. */
  milliseconds: Schema.Number,
  channel
}) {
  override readonly [Runtime.errorExitCode] = 9
  override get message(): string {
    return `${where(this.peer, this)}: timed out after ${this.milliseconds / 1000} s waiting for ${this.expected}`
  }
}

/**
 * All errors of a connection, from the attempt to its end.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export type ConnectionError =
  ConnectError | ListenError | ConnectionLostError | ConnectionEndedError | TlsError | PeerTimeoutError

/**
 * Adds the channel to an error; a channel that the error already has is kept.
 *
 * **Example** (Naming the channel)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { ConnectionError } from "effect-multifd"
 *
 * const onChannel = <A>(id: number, self: Effect.Effect<A, ConnectionError.ConnectionError>) =>
 *   Effect.mapError(self, ConnectionError.at({ channel: id }))
 * ```
 *
 * @stability stable
 * @category combinators
 * @since 0.1.0
 */
export const at: {
  (place: Place): <E extends ConnectionError>(self: E) => E
  <E extends ConnectionError>(self: E, place: Place): E
} = dual(2, <E extends ConnectionError>(self: E, place: Place): E => {
  if (self.channel !== undefined || place.channel === undefined) return self
  const Class = self.constructor as new (fields: E) => E
  // A spread does not copy the cause.
  return new Class({ ...self, cause: self.cause, channel: place.channel })
})
