import * as Result from "effect/Result"
import * as Net from "node:net"
import * as Tls from "node:tls"
import type { Calls, ConnectOptions, ErrnoError } from "./networkModel.ts"
import { format, type SocketAddress } from "../SocketAddress.ts"
import type * as TlsCredentials from "../TlsCredentials.ts"
import { clientOptions } from "./tlsOptions.ts"
import { SocketTransport } from "./socketTransport.ts"

const target = (address: SocketAddress, keepAlive: number) =>
  address._tag === "Unix"
    ? { path: address.path }
    : {
        host: address.host,
        port: address.port,
        noDelay: true,
        keepAlive: keepAlive > 0,
        keepAliveInitialDelay: keepAlive
      }

const secure = (
  address: SocketAddress,
  options: ConnectOptions,
  credentials: TlsCredentials.Client,
  onread: Net.OnReadOpts
): Net.Socket => {
  const tls: Tls.ConnectionOptions & Pick<Net.SocketConstructorOpts, "onread" | "allowHalfOpen"> = {
    ...target(address, options.keepAlive),
    ...clientOptions(credentials, address),
    allowHalfOpen: true,
    onread
  }
  return Tls.connect(tls)
}

/** Paused, so that nothing is read ahead. */
const plain = (address: SocketAddress, options: ConnectOptions, onread: Net.OnReadOpts): Net.Socket =>
  Net.connect({ ...target(address, options.keepAlive), allowHalfOpen: true, onread }).pause()

/** The peer was not reached. If several addresses of a host were tried, Node's error does not name the failed call. */
const unreached = (cause: unknown): ErrnoError => {
  const error: ErrnoError = cause instanceof Error ? cause : new Error(String(cause))
  error.syscall ??= "connect"
  return error
}

/**
 * Connects with Node's own sockets.
 *
 * @internal
 */
export const connect: Calls["connect"] = (address, options, done) => {
  const { tls } = options
  const transport = new SocketTransport(format(address), { tls: tls !== undefined })
  const open = () =>
    tls === undefined ? plain(address, options, transport.onread) : secure(address, options, tls, transport.onread)

  const begin = (socket: Net.Socket): (() => void) => {
    let reached = false
    const fail = (error: ErrnoError): void => done(Result.fail(reached ? error : unreached(error)))
    socket.once("error", fail)
    socket.once("connect", () => {
      reached = true
    })
    socket.once(tls === undefined ? "connect" : "secureConnect", () => {
      socket.removeListener("error", fail)
      transport.attach(socket, { onread: true })
      done(Result.succeed(transport))
    })
    return () => {
      socket.removeListener("error", fail)
      socket.on("error", () => undefined).destroy()
    }
  }

  try {
    return begin(open())
  } catch (cause) {
    // Node throws on invalid arguments, such as a path with a zero byte.
    done(Result.fail(unreached(cause)))
    return () => undefined
  }
}
