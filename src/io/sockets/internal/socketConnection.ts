import * as Effect from "effect/Effect"
import type { Connection, TransferError } from "./connectionModel.ts"
import * as ConnectionError from "../ConnectionError.ts"
import type { ErrnoError, Transport } from "../Network.ts"
import { makeGather, type Piece, scatter } from "./gather.ts"
import { transferFailure } from "./socketFailure.ts"

type Operation = ConnectionError.ConnectionLostError["operation"]

/** One direction: one call at a time, and none after the first failure. */
interface Side {
  /**
   * Ends the call in progress. It is the effect's own function, not a closure made here: V8 considers such closures
   * long-lived and keeps them, with the targets of every read, until the next full collection.
   */
  resume: ((failure: Effect.Effect<never, TransferError>) => void) | undefined
  failure: TransferError | undefined
}

const errnoError = (code: string, message: string): ErrnoError => Object.assign(new Error(message), { code })

/** The extent of a read: complete, up to the peer's end, or up to a failure. */
type Outcome = { readonly filled: number; readonly error: ErrnoError | null }

/**
 * Makes reads one after another. A transport may answer before its call has returned: then the loop continues, instead
 * of adding a call to a stack that could grow with every byte.
 */
const fill = (transport: Transport, pieces: ReadonlyArray<Piece>, done: (outcome: Outcome) => void): void => {
  let index = 0
  let offset = 0
  let filled = 0
  let looping = false
  let answered = false

  const arrived = (error: ErrnoError | null, bytes: number): void => {
    if (error !== null || bytes === 0) return done({ filled, error })
    offset += bytes
    filled += bytes
    answered = true
    if (!looping) next()
  }
  const next = (): void => {
    looping = true
    do {
      let piece = pieces[index]
      while (piece !== undefined && offset === piece.memory.length) {
        scatter(piece)
        piece = pieces[++index]
        offset = 0
      }
      answered = false
      if (piece === undefined) done({ filled, error: null })
      else transport.read(piece.memory.subarray(offset), arrived)
    } while (answered)
    looping = false
  }
  next()
}

const total = (targets: ReadonlyArray<Uint8Array>): number => targets.reduce((sum, { length }) => sum + length, 0)

/**
 * A connection over a transport.
 *
 * @internal
 */
export class SocketConnection implements Connection {
  readonly #transport: Transport
  readonly #in: Side = { resume: undefined, failure: undefined }
  readonly #out: Side = { resume: undefined, failure: undefined }
  readonly #gather = makeGather()
  #ended = false
  bytesRead = 0
  bytesWritten = 0

  constructor(transport: Transport) {
    this.#transport = transport
  }

  get peer(): string {
    return this.#transport.peer
  }

  readonly read: Connection["read"] = (targets) =>
    Effect.flatMap(this.#fill(targets), (filled) => {
      const expected = total(targets)
      return filled === expected ? Effect.void : Effect.fail(this.#endedEarly(expected, filled))
    })

  readonly readOrEnd: Connection["readOrEnd"] = (target) =>
    Effect.flatMap(this.#fill([target]), (filled) => {
      if (filled === target.length) return Effect.succeed(true)
      return filled === 0 ? Effect.succeed(false) : Effect.fail(this.#endedEarly(target.length, filled))
    })

  readonly readSome: Connection["readSome"] = (target) =>
    this.#call<number>(this.#in, "read", (resume) =>
      this.#transport.read(target, (error, bytes) => {
        this.bytesRead += bytes
        resume(error, bytes)
      })
    )

  #fill(targets: ReadonlyArray<Uint8Array>): Effect.Effect<number, TransferError> {
    return this.#call<number>(this.#in, "read", (resume) =>
      fill(this.#transport, this.#gather(targets), ({ error, filled }) => {
        this.bytesRead += filled
        resume(error, filled)
      })
    )
  }

  readonly write: Connection["write"] = (parts) =>
    this.#call<void>(this.#out, "write", (resume) => {
      if (this.#ended) return resume(errnoError("EPIPE", "our side has ended"), undefined)
      this.#transport.write(parts, (error) => {
        if (error === null) this.bytesWritten += total(parts)
        resume(error, undefined)
      })
    })

  readonly end: Connection["end"] = this.#call<void>(this.#out, "end", (resume) => {
    if (this.#ended) return resume(null, undefined)
    this.#ended = true
    this.#transport.end((error) => resume(error, undefined))
  })

  #call<A>(side: Side, operation: Operation, start: (resume: (error: ErrnoError | null, value: A) => void) => void) {
    return Effect.callback<A, TransferError>((resume) => {
      if (side.failure !== undefined) return resume(Effect.fail(side.failure))
      if (side.resume !== undefined) return resume(Effect.die(new Error(`${operation}: another call is under way`)))
      side.resume = resume
      start((error, value) => {
        if (error !== null) return this.#fail(side, operation, error)
        side.resume = undefined
        resume(Effect.succeed(value))
      })
      return Effect.sync(() => this.#interrupted(side, operation))
    })
  }

  #fail(side: Side, operation: Operation, cause: ErrnoError): void {
    side.failure ??= transferFailure(this.peer, operation, cause)
    side.resume?.(Effect.fail(side.failure))
    side.resume = undefined
  }

  /** A transport cannot report its progress, and must no longer touch the caller's memory. */
  #interrupted(side: Side, operation: Operation): void {
    this.#fail(side, operation, errnoError("ECANCELED", "an earlier call was interrupted"))
    if (side === this.#in) this.#transport.cancelRead()
    else this.close()
  }

  #endedEarly(expected: number, found: number): ConnectionError.ConnectionEndedError {
    return new ConnectionError.ConnectionEndedError({ peer: this.peer, expected, found })
  }

  /** Closes at once; calls in progress fail, and so do all later ones. */
  close(): void {
    const closed = errnoError("ECANCELED", "the connection was closed on our side")
    this.#transport.destroy()
    this.#fail(this.#in, "read", closed)
    this.#fail(this.#out, "write", closed)
  }
}
