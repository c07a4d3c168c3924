import * as Result from "effect/Result"
import * as Net from "node:net"
import type { Calls, ErrnoError, Incoming, ListenOptions, Listening } from "./networkModel.ts"
import { format, type SocketAddress } from "../SocketAddress.ts"
import { serverHandshake } from "./serverHandshake.ts"
import { SocketTransport } from "./socketTransport.ts"
import { removeLeftover } from "./unixSocket.ts"

const peerOf = (socket: Net.Socket, address: SocketAddress): string =>
  socket.remoteAddress === undefined || socket.remotePort === undefined
    ? format(address)
    : format({ _tag: "Tcp", host: socket.remoteAddress, port: socket.remotePort })

/** Before it is opened, an error only means that the connection is gone. */
const ignore = (): void => undefined

const incoming = (accepted: Net.Socket, peer: string, { tls }: ListenOptions): Incoming => {
  let opened: { readonly destroy: () => void } = accepted
  accepted.on("error", ignore)
  return {
    peer,
    open: (done) => {
      const succeed = (socket: Net.Socket): void => {
        const transport = new SocketTransport(peer, { tls: tls !== undefined })
        transport.attach(socket, { onread: false })
        opened = transport
        done(Result.succeed(transport))
      }
      if (tls === undefined) succeed(accepted)
      else serverHandshake(accepted, tls, { secure: succeed, failed: (error) => done(Result.fail(error)) })
    },
    destroy: () => opened.destroy()
  }
}

const realAddress = (server: Net.Server, address: SocketAddress): SocketAddress => {
  const real = server.address()
  return address._tag === "Tcp" && real !== null && typeof real === "object" ? { ...address, port: real.port } : address
}

const serverOf = (address: SocketAddress, options: ListenOptions): Net.Server => {
  const server = Net.createServer({
    allowHalfOpen: true,
    pauseOnConnect: true,
    noDelay: true,
    keepAlive: options.keepAlive > 0,
    keepAliveInitialDelay: options.keepAlive
  })
  return server.on("connection", (socket) => options.onConnection(incoming(socket, peerOf(socket, address), options)))
}

const bind = (server: Net.Server, address: SocketAddress, backlog: number): void => {
  // `exclusive`: even in a worker of a cluster the port belongs to this process.
  if (address._tag === "Unix") {
    const { everyUser = false, path } = address
    server.listen({ path, backlog, exclusive: true, writableAll: everyUser })
  } else server.listen({ host: address.host, port: address.port, backlog, exclusive: true })
}

/** Replaces a stale Unix socket. */
const prepare = (address: SocketAddress, done: (error: ErrnoError | null) => void): void =>
  address._tag === "Unix" ? removeLeftover(address.path, done) : done(null)

/**
 * Listens with Node's own sockets.
 *
 * @internal
 */
export const listen: Calls["listen"] = (address, options, done) => {
  const server = serverOf(address, options)
  const fail = (error: ErrnoError): void => done(Result.fail(error))
  const listening: Listening = {
    get address() {
      return realAddress(server, address)
    },
    // The descriptor is closed at once; Node waits only for the connections.
    close: (closed) => {
      server.close()
      setImmediate(closed)
    }
  }
  let abandoned = false
  /** Node throws on invalid arguments (a path with a zero byte); that becomes an ordinary failure. */
  const orFail = (start: () => void): void => {
    try {
      start()
    } catch (cause) {
      fail(cause instanceof Error ? cause : new Error(String(cause)))
    }
  }
  server.once("error", fail)
  server.once("listening", () => {
    if (abandoned) return void server.close()
    server.removeListener("error", fail).on("error", options.onError)
    done(Result.succeed(listening))
  })
  orFail(() =>
    prepare(address, (error) => {
      if (error !== null) fail(error)
      else if (!abandoned) orFail(() => bind(server, address, options.backlog))
    })
  )
  return () => {
    abandoned = true
    server.close()
  }
}
