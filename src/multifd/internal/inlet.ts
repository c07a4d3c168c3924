import * as Effect from "effect/Effect"
import type { Connection, TransferError } from "../../io/sockets/Connection.ts"
import { ConnectionEndedError } from "../../io/sockets/ConnectionError.ts"

/**
 * The data that arrives on a channel, in order, as views of the memory it was read into.
 *
 * ```text
 *   memory   ░░░░░░░░░░░░│ header │ payload ─ ─ ─ ─ ─           what does not fit moves to the other memory, and the two
 *            taken       start          end       length        change places, when nobody needs the bytes there any more
 * ```
 *
 * Each read takes as much as the kernel has and the memory can hold: most calls bring more than one packet.
 *
 * @internal
 */
export class Inlet {
  readonly #connection: Connection
  /** Bytes of one memory; more if a single piece is longer. */
  readonly #length: number
  /** `true` if more may be read than was requested. */
  readonly #ahead: boolean
  readonly #otherIsFree: Effect.Effect<void>
  #memory = new Uint8Array(0)
  #other = new Uint8Array(0)
  #start = 0
  #end = 0

  /** `otherIsFree` waits until only views from after the last swap of the memories are still needed. */
  constructor(options: {
    readonly connection: Connection
    readonly length: number
    readonly ahead: boolean
    readonly otherIsFree: Effect.Effect<void>
  }) {
    this.#connection = options.connection
    this.#length = options.length
    this.#ahead = options.ahead
    this.#otherIsFree = options.otherIsFree
  }

  /** The next bytes. */
  take(length: number): Effect.Effect<Uint8Array, TransferError | ConnectionEndedError> {
    return Effect.flatMap(this.#fill(length), (there) =>
      there ? Effect.succeed(this.#taken(length)) : Effect.fail(this.#endedEarly(length))
    )
  }

  /** The next bytes, without consuming them, or `undefined` if the peer ended before the first of them. */
  peekOrEnd(length: number): Effect.Effect<Uint8Array | undefined, TransferError | ConnectionEndedError> {
    return Effect.flatMap(this.#fill(length), (there) => {
      if (there) return Effect.succeed(this.#memory.subarray(this.#start, this.#start + length))
      return this.#end === this.#start ? Effect.succeed(undefined) : Effect.fail(this.#endedEarly(length))
    })
  }

  #taken(length: number): Uint8Array {
    return this.#memory.subarray(this.#start, (this.#start += length))
  }

  #endedEarly(expected: number): ConnectionEndedError {
    return new ConnectionEndedError({ peer: this.#connection.peer, expected, found: this.#end - this.#start })
  }

  /** Reads until `length` bytes are available; false if the peer ends first. */
  #fill(length: number): Effect.Effect<boolean, TransferError> {
    return Effect.suspend(() => {
      if (this.#end - this.#start >= length) return Effect.succeed(true)
      if (this.#start + length <= this.#memory.length) return this.#more(length)
      return Effect.andThen(
        this.#otherIsFree,
        Effect.suspend(() => this.#change(length))
      )
    })
  }

  #more(length: number): Effect.Effect<boolean, TransferError> {
    const free = this.#memory.subarray(this.#end, this.#ahead ? this.#memory.length : this.#start + length)
    return Effect.flatMap(this.#connection.readSome(free), (bytes) => {
      this.#end += bytes
      if (bytes === 0) return Effect.succeed(false)
      return this.#end - this.#start >= length ? Effect.succeed(true) : this.#more(length)
    })
  }

  #change(length: number): Effect.Effect<boolean, TransferError> {
    const rest = this.#memory.subarray(this.#start, this.#end)
    const next = this.#other.length < length ? new Uint8Array(Math.max(length, this.#length)) : this.#other
    next.set(rest)
    this.#other = this.#memory
    this.#memory = next
    this.#start = 0
    this.#end = rest.length
    return this.#more(length)
  }
}
