// Both places take the first piece only where the pipe holds bytes, so there is one.
// oxlint-disable typescript/no-non-null-assertion -- see above
import type { ErrnoError } from "../../io/sockets/Network.ts"
import type { EventLoop } from "./eventLoop.ts"
import { errnoError } from "./nodeForm.ts"

/**
 * The faults of one direction. Positions count bytes that were read.
 *
 * @internal
 */
export interface Disturbance {
  /** The position of the next stop at or after `position`, `Infinity` if there is none. */
  readonly nextStop: (position: number) => number
  /** Triggers all faults at this position, once. */
  readonly stopAt: (position: number, pipe: Pipe) => void
  /** Most bytes for a read at this position. */
  readonly readLimit: (position: number) => number
  /** Damages bytes in flight. */
  readonly damage: (position: number, bytes: Uint8Array) => void
}

type ReadDone = (error: ErrnoError | null, bytes: number) => void
type Done = (error: ErrnoError | null) => void

interface Writer {
  /** The parts not taken yet. */
  parts: ReadonlyArray<Uint8Array>
  readonly done: Done
}

/**
 * One direction of a connection: the bytes written and not yet read, at most `capacity`.
 *
 *     write ──▶ ████████████░░░░░░ ──▶ read
 *               held       capacity
 *
 * Results are delivered in later turns of the event loop.
 *
 * @internal
 */
export class Pipe {
  readonly #loop: EventLoop
  readonly #capacity: number
  readonly #disturbance: Disturbance
  #held: Array<Uint8Array> = []
  #length = 0
  #reader: { readonly target: Uint8Array; readonly done: ReadDone } | undefined
  #writer: Writer | undefined
  #scheduled = false
  #halted = false
  /** `true` after the last write: the reader sees the end after the held bytes. */
  #ended = false
  /** The reason why writes fail, if they do. */
  #unwritable: string | undefined
  /** The reason why reads fail, if they do. */
  #unreadable: string | undefined
  /** Bytes that were read. */
  passed = 0

  constructor(loop: EventLoop, capacity: number, disturbance: Disturbance) {
    this.#loop = loop
    this.#capacity = capacity
    this.#disturbance = disturbance
  }

  /** Bytes that were written and not read. */
  get length(): number {
    return this.#length
  }

  read(target: Uint8Array, done: ReadDone): void {
    this.#reader = { target, done }
    this.#schedule()
  }

  cancelRead(): void {
    this.#reader = undefined
  }

  write(parts: ReadonlyArray<Uint8Array>, done: Done): void {
    this.#writer = { parts, done }
    this.#take()
  }

  /** Ends after all held bytes. */
  end(): void {
    this.#writer = undefined
    this.#ended = true
    this.#unwritable ??= "EPIPE"
    this.#schedule()
  }

  /** Ends at once. */
  cut(): void {
    this.#drop()
    this.#ended = true
    this.refuse("EPIPE")
    this.#schedule()
  }

  /** Stops delivery of bytes, and of an end. */
  reset(): void {
    this.#drop()
    this.#unreadable = "ECONNRESET"
    this.refuse("ECONNRESET")
    this.#schedule()
  }

  /** Fails all further writes: the reader is gone. */
  refuse(code: string): void {
    this.#unwritable ??= code
    this.#take()
  }

  halt(): void {
    this.#halted = true
  }

  resume(): void {
    this.#halted = false
    this.#schedule()
  }

  #drop(): void {
    this.#held = []
    this.#length = 0
  }

  /** Takes as much from the writer as there is room for, as a copy; `slice` of a `Buffer` would not copy. */
  #take(): void {
    const writer = this.#writer
    if (writer === undefined) return
    if (this.#unwritable !== undefined) return this.#answerWriter(writer, this.#unwritable)
    let parts = writer.parts.filter(({ length }) => length > 0)
    while (parts.length > 0 && this.#length < this.#capacity) {
      const [first, ...others] = parts
      const piece = new Uint8Array(first!.subarray(0, this.#capacity - this.#length))
      this.#held.push(piece)
      this.#length += piece.length
      parts = piece.length < first!.length ? [first!.subarray(piece.length), ...others] : others
    }
    writer.parts = parts
    if (parts.length === 0) this.#answerWriter(writer, undefined)
    this.#schedule()
  }

  #answerWriter({ done }: Writer, code: string | undefined): void {
    this.#writer = undefined
    this.#loop.submit(() => done(code === undefined ? null : errnoError(code, "write")))
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#loop.submit(() => {
      this.#scheduled = false
      this.#disturbance.stopAt(this.passed, this)
      this.#give()
    })
  }

  /** Delivers the available bytes to the reader. */
  #give(): void {
    const reader = this.#reader
    if (reader === undefined) return
    if (this.#unreadable !== undefined) this.#answerReader(errnoError(this.#unreadable, "read"), 0)
    else if (this.#halted) return
    else if (this.#length > 0) this.#answerReader(null, this.#move(reader.target))
    else if (this.#ended) this.#answerReader(null, 0)
  }

  #answerReader(error: ErrnoError | null, bytes: number): void {
    const reader = this.#reader
    this.#reader = undefined
    this.#take()
    this.#schedule()
    reader?.done(error, bytes)
  }

  #move(target: Uint8Array): number {
    const { nextStop, readLimit, damage } = this.#disturbance
    const [first, ...others] = this.#held
    const most = Math.min(target.length, readLimit(this.passed), nextStop(this.passed + 1) - this.passed)
    const piece = first!.subarray(0, most)
    target.set(piece)
    damage(this.passed, target.subarray(0, piece.length))
    this.#held = piece.length < first!.length ? [first!.subarray(piece.length), ...others] : others
    this.#length -= piece.length
    this.passed += piece.length
    return piece.length
  }
}
