import type * as Net from "node:net"
import type { ErrnoError, Transport } from "./networkModel.ts"
import { keepReadable } from "./keepReadable.ts"
import { type Onread, setOnread } from "./onread.ts"
import { ReadAhead } from "./readAhead.ts"

/**
 * Data that arrives before a read is requested goes to memory of the connection first, and is copied from there: at
 * most this many bytes. Copying them takes no time compared with the call that reads them, and a packet's header fits.
 */
const readAheadLength = 4096

/** A TLS record is delivered as a whole, even without a place for it. */
const tlsRecordLength = 16_384

const closed = (): ErrnoError => Object.assign(new Error("the connection is closed"), { code: "ECONNRESET" })

type Read = { readonly target: Uint8Array; readonly done: Parameters<Transport["read"]>[1] }

/**
 * A socket of Node that is read on request.
 *
 *     idle ──read──▶ reading: Node reads into the target itself (or into the read-ahead, which is copied)
 *      ▲               │
 *      └── no further read before `done` has returned: the socket is paused, what comes next meets the read-ahead
 *
 * Node asks for the place of the next bytes right after it has delivered some. A read requested inside of `done` (such
 * as by a fiber that continues to read) therefore gets them without a copy and without a pause.
 *
 * @internal
 */
export class SocketTransport implements Transport {
  readonly peer: string
  #socket: Net.Socket | undefined
  #failure: ErrnoError | undefined
  #ended = false
  #read: Read | undefined
  /** `true` if Node was given the target of the read itself. */
  #direct = false
  readonly #ahead: ReadAhead

  constructor(peer: string, options: { readonly tls: boolean }) {
    this.peer = peer
    this.#ahead = new ReadAhead(options.tls ? tlsRecordLength : readAheadLength)
  }

  /** For the socket option of this name. */
  readonly onread: Onread = {
    buffer: () => {
      const target = this.#read?.target
      this.#direct = target !== undefined && target.length >= readAheadLength
      return target !== undefined && this.#direct ? target : this.#ahead.free()
    },
    callback: (bytes) => {
      if (this.#direct) this.#answer(null, bytes)
      else {
        this.#ahead.filled(bytes)
        if (this.#read !== undefined) this.#answer(null, this.#ahead.moveTo(this.#read.target))
      }
      return this.#read !== undefined
    }
  }

  /** For the `data` events of a socket without that option: they allocate and copy everything. */
  readonly #onData = (chunk: Uint8Array): void => {
    for (let rest = chunk; rest.length > 0;) {
      const free = this.#ahead.free()
      const bytes = Math.min(free.length, rest.length)
      free.set(rest.subarray(0, bytes))
      this.#ahead.filled(bytes)
      rest = rest.subarray(bytes)
    }
    if (this.#read !== undefined) this.#answer(null, this.#ahead.moveTo(this.#read.target))
    if (this.#read === undefined) this.#socket?.pause()
  }

  /** From here the socket belongs to this transport. It was created with `onread`, or gets it now. */
  attach(socket: Net.Socket, options: { readonly onread: boolean }): void {
    this.#socket = socket
    if (!options.onread && !setOnread(socket, this.onread)) socket.on("data", this.#onData)
    socket.pause()
    socket.on("end", () => {
      this.#ended = true
      this.#answer(null, 0)
    })
    keepReadable(socket)
    socket.on("error", (error) => (socket.destroyed ? this.#fail(error) : this.#writeFailed(socket, error)))
    socket.on("close", () => this.#fail(closed()))
  }

  /**
   * Data that has already arrived is still read, which takes one turn of the event loop; then nothing more will come.
   */
  #writeFailed(socket: Net.Socket, error: ErrnoError): void {
    setImmediate(() =>
      setImmediate(() => {
        this.#fail(error)
        socket.destroy()
      })
    )
  }

  #answer(error: ErrnoError | null, bytes: number): void {
    const read = this.#read
    this.#read = undefined
    read?.done(error, bytes)
  }

  #fail(error: ErrnoError): void {
    this.#failure ??= error
    this.#answer(this.#ended ? null : this.#failure, 0)
  }

  read(target: Uint8Array, done: Read["done"]): void {
    if (this.#ahead.length > 0) done(null, this.#ahead.moveTo(target))
    else if (this.#ended) done(null, 0)
    else if (this.#failure !== undefined) done(this.#failure, 0)
    else {
      this.#read = { target, done }
      this.#socket?.resume()
    }
  }

  cancelRead(): void {
    this.#read = undefined
    this.#socket?.pause()
  }

  write(parts: ReadonlyArray<Uint8Array>, done: (error: ErrnoError | null) => void): void {
    const socket = this.#socket
    if (socket === undefined || this.#failure !== undefined) return done(this.#failure ?? closed())
    const last = parts.length - 1
    if (last < 0) return done(null)
    socket.cork()
    parts.forEach((part, index) =>
      index < last ? socket.write(part) : socket.write(part, (error) => done(error ?? null))
    )
    socket.uncork()
  }

  end(done: (error: ErrnoError | null) => void): void {
    const socket = this.#socket
    if (socket === undefined || this.#failure !== undefined) return done(this.#failure ?? closed())
    socket.end((error?: ErrnoError | null) => done(error ?? null))
  }

  destroy(): void {
    this.#socket?.destroy()
  }
}
