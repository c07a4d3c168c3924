/**
 * What can go wrong with connections, one class for each thing that a caller can do about it.
 *
 * @since 0.1.0
 */
import { dual } from "effect/Function"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"

/**
 * Which connection of a migration it was. What is not known is left out.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Place {
  /** The channel's number, from 0, or the connection that carries the migration stream. */
  readonly channel?: number | "main" | undefined
}

const channel = Schema.optional(Schema.Union([Schema.Number, Schema.Literal("main")]))

const failure = {
  /** The errno's name, or the name that the TLS library gives. */
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
 * Nobody could be reached at the address: refused, unreachable, no such name or socket file. Nothing was sent. Exit code 6.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class ConnectError extends Schema.TaggedError<ConnectError>()("ConnectError", {
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
 * The address cannot be listened on: it is in use (`EADDRINUSE`), is not this machine's, is not permitted; or a listener
 * stopped (`accept`). Exit code 6.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class ListenError extends Schema.TaggedError<ListenError>()("ListenError", {
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
 * The connection broke: the peer reset it, its machine cannot be reached any more, or it was closed on our side. How much
 * of what was written has arrived is unknown. Exit code 6.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class ConnectionLostError extends Schema.TaggedError<ConnectionLostError>()("ConnectionLostError", {
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
 * The peer ended its side in good order, but in the middle of something: `expected` bytes were due, `found` of them came.
 * Exit code 6.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class ConnectionEndedError extends Schema.TaggedError<ConnectionEndedError>()("ConnectionEndedError", {
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
  record: "what the peer sent was damaged on the way"
} as const

/**
 * What about TLS went wrong.
 *
 * - `credentials`: files of ours are missing or unusable; `path` says which
 * - `plaintext`: the peer does not speak TLS
 * - `certificate`: the peer's certificate is missing, expired, revoked, or signed by somebody else
 * - `hostname`: the peer's certificate names other hosts
 * - `key`: the peer uses another pre-shared key, or one that we do not have
 * - `refused`: the peer ended the handshake, with an alert or without; it may not have liked our certificate or key
 * - `handshake`: anything else before the first byte
 * - `record`: a damaged record after the handshake
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type TlsReason = keyof typeof tlsReasons

/**
 * No secure connection could be made, or it was damaged. No byte of the migration went over it without protection. Exit
 * code 8; of `credentials`, which are files of ours, 6.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class TlsError extends Schema.TaggedError<TlsError>()("TlsError", {
  /** The address of the other side; of unusable credentials the file or directory. */
  peer: Schema.String,
  reason: Schema.Literals(Object.keys(tlsReasons) as ReadonlyArray<TlsReason>),
  /** What was expected and found, where `code` does not say it. */
  detail: Schema.optional(Schema.String),
  ...failure
}) {
  override readonly [Runtime.errorExitCode] = this.reason === "credentials" ? 6 : 8
  override get message(): string {
    return `${where(this.peer, this)}: TLS: ${tlsReasons[this.reason]} (${this.detail ?? this.code})`
  }
}

/**
 * The peer did not do what was due in time. Exit code 9.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class PeerTimeoutError extends Schema.TaggedError<PeerTimeoutError>()("PeerTimeoutError", {
  /** The address of the other side. */
  peer: Schema.String,
  /** What was due, such as `an answer to the attempt to connect`. */
  expected: Schema.String,
  /** How long it was waited for. */
  milliseconds: Schema.Number,
  channel
}) {
  override readonly [Runtime.errorExitCode] = 9
  override get message(): string {
    return `${where(this.peer, this)}: expected ${this.expected} within ${this.milliseconds / 1000} s, it did not come`
  }
}

/**
 * Everything that a connection fails with, from the attempt to its end.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export type ConnectionError =
  ConnectError | ListenError | ConnectionLostError | ConnectionEndedError | TlsError | PeerTimeoutError

/**
 * Adds which connection it was; what the error already says of that stays.
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
  // An error keeps its cause where a spread does not see it.
  return new Class({ ...self, cause: self.cause, channel: place.channel })
})
