import type * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import type { Calls, ErrnoError, Incoming, ListenOptions } from "../../io/sockets/Network.ts"
import { format, type SocketAddress } from "../../io/sockets/SocketAddress.ts"
import type { Link, Rule } from "./virtualNetworkModel.ts"
import { disturbanceOf } from "./disturbance.ts"
import type { EventLoop } from "./eventLoop.ts"
import { errnoError } from "./nodeForm.ts"
import { End } from "./virtualEnds.ts"
import { Pipe } from "./virtualPipe.ts"

interface Options {
  readonly loop: EventLoop
  readonly capacity: number
  readonly plan: ReadonlyArray<Rule>
  readonly sleep: (duration: Duration.Input, wake: () => void) => void
}

interface Socket {
  readonly address: SocketAddress
  readonly options: ListenOptions
}

interface Wire {
  readonly address: SocketAddress
  readonly connector: End
  readonly listener: End
  readonly forth: Pipe
  readonly back: Pipe
}

/** Ports for listeners on port 0, from this number. */
const firstFreePort = 49_152

const everyHost = new Set(["0.0.0.0", "::"])

const leadsTo = (wanted: SocketAddress, { address }: Socket): boolean => {
  if (wanted._tag === "Unix" || address._tag === "Unix") return format(wanted) === format(address)
  return wanted.port === address.port && (wanted.host === address.host || everyHost.has(address.host))
}

/** OpenSSL's error for data that is not TLS. */
const notTls = (): ErrnoError => errnoError("ERR_SSL_WRONG_VERSION_NUMBER", "handshake")

/**
 * The listeners and the connections between them.
 *
 * @internal
 */
export class Switchboard {
  readonly #options: Options
  readonly #sockets = new Set<Socket>()
  readonly #wires: Array<Wire> = []
  #attempts = 0
  #nextPort = firstFreePort

  constructor(options: Options) {
    this.#options = options
  }

  links(): ReadonlyArray<Link> {
    return this.#wires.map(({ address, connector, listener, forth, back }) => ({
      address,
      fromConnector: forth.passed,
      fromListener: back.passed,
      open: Number(connector.open) + Number(listener.open)
    }))
  }

  listening(): ReadonlyArray<SocketAddress> {
    return [...this.#sockets].map(({ address }) => address)
  }

  readonly calls: Calls = {
    connect: (address, { tls }, done) => {
      const attempt = this.#attempts++
      let wanted = true
      this.#options.loop.submit(() => {
        if (wanted) this.#connect(attempt, address, tls !== undefined, done)
      })
      return () => {
        wanted = false
      }
    },
    listen: (address, options, done) => {
      let wanted = true
      this.#options.loop.submit(() => {
        if (wanted) this.#listen(address, options, done)
      })
      return () => {
        wanted = false
      }
    }
  }

  #listen(wanted: SocketAddress, options: ListenOptions, done: Parameters<Calls["listen"]>[2]): void {
    const address = wanted._tag === "Tcp" && wanted.port === 0 ? { ...wanted, port: this.#nextPort++ } : wanted
    const former = [...this.#sockets].find((socket) => leadsTo(address, socket))
    if (former !== undefined && address._tag === "Tcp") return done(Result.fail(errnoError("EADDRINUSE", "listen")))
    // A new Unix socket takes over the path of an older one.
    if (former !== undefined) this.#sockets.delete(former)
    const socket = { address, options }
    this.#sockets.add(socket)
    done(
      Result.succeed({
        address,
        close: (closed) => {
          this.#sockets.delete(socket)
          this.#options.loop.submit(closed)
        }
      })
    )
  }

  #connect(attempt: number, address: SocketAddress, tls: boolean, done: Parameters<Calls["connect"]>[2]): void {
    const rules = this.#options.plan.filter(({ connection }) => connection === undefined || connection === attempt)
    const has = (tag: Rule["fault"]["_tag"]) => rules.some(({ fault }) => fault._tag === tag)
    const socket = [...this.#sockets].find((candidate) => leadsTo(address, candidate))
    if (has("Ignore")) return
    if (socket === undefined || has("Refuse")) {
      const code = address._tag === "Unix" && socket === undefined ? "ENOENT" : "ECONNREFUSED"
      return done(Result.fail(errnoError(code, "connect")))
    }
    const wire = this.#wire(attempt, address, rules)
    this.#options.loop.submit(() => socket.options.onConnection(this.#incoming(wire, socket, tls)))
    if (!tls || socket.options.tls !== undefined) return done(Result.succeed(wire.connector))
    wire.connector.destroy()
    done(Result.fail(notTls()))
  }

  #incoming({ listener }: Wire, { options }: Socket, tls: boolean): Incoming {
    return {
      peer: listener.peer,
      open: (done) =>
        this.#options.loop.submit(() => {
          if (listener.open) done(options.tls === undefined || tls ? Result.succeed(listener) : Result.fail(notTls()))
        }),
      destroy: () => listener.destroy()
    }
  }

  #wire(attempt: number, address: SocketAddress, rules: ReadonlyArray<Rule>): Wire {
    const { capacity, loop, sleep } = this.#options
    const pipe = (from: Rule["from"]): Pipe =>
      new Pipe(
        loop,
        capacity,
        disturbanceOf(
          rules.filter((rule) => (rule.from ?? "connector") === from),
          {
            cut: (pipe) => {
              for (const each of [wire.forth, wire.back])
                if (each === pipe) each.cut()
                else each.end()
            },
            reset: () => wire.connector.reset(),
            sleep
          }
        )
      )
    const forth = pipe("connector")
    const back = pipe("listener")
    const peer = address._tag === "Unix" ? format(address) : `tcp:connector-${attempt}:0`
    const connector = new End({ peer: format(address), loop, incoming: back, outgoing: forth })
    const listener = new End({ peer, loop, incoming: forth, outgoing: back })
    const wire: Wire = { address, connector, listener, forth, back }
    this.#wires.push(wire)
    return wire
  }
}
