import type { Transport } from "../../io/sockets/Network.ts"
import type { EventLoop } from "./eventLoop.ts"
import type { Pipe } from "./virtualPipe.ts"

/**
 * One end of a connection.
 *
 * @internal
 */
export class End implements Transport {
  readonly peer: string
  readonly #loop: EventLoop
  readonly #incoming: Pipe
  readonly #outgoing: Pipe
  open = true

  constructor(options: {
    readonly peer: string
    readonly loop: EventLoop
    readonly incoming: Pipe
    readonly outgoing: Pipe
  }) {
    this.peer = options.peer
    this.#loop = options.loop
    this.#incoming = options.incoming
    this.#outgoing = options.outgoing
  }

  read(...[target, done]: Parameters<Transport["read"]>): void {
    this.#incoming.read(target, done)
  }

  cancelRead(): void {
    this.#incoming.cancelRead()
  }

  write(...[parts, done]: Parameters<Transport["write"]>): void {
    this.#outgoing.write(parts, done)
  }

  end(...[done]: Parameters<Transport["end"]>): void {
    this.#outgoing.end()
    this.#loop.submit(() => done(null))
  }

  /** As in TCP, unread data turns an end into a reset, and data in flight is lost. */
  destroy(): void {
    if (!this.open) return
    this.open = false
    this.#incoming.cancelRead()
    if (this.#incoming.length > 0) this.reset()
    else {
      this.#outgoing.end()
      this.#incoming.refuse("EPIPE")
    }
  }

  reset(): void {
    this.#incoming.reset()
    this.#outgoing.reset()
  }
}
