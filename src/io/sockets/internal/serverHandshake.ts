import type * as Net from "node:net"
import * as Tls from "node:tls"
import type { ErrnoError } from "./networkModel.ts"
import type * as TlsCredentials from "../TlsCredentials.ts"
import { serverOptions } from "./tlsOptions.ts"

/** Node destroys a connection with an untrusted certificate without an error; the socket has the reason. */
const reason = (error: ErrnoError, { authorizationError }: Tls.TLSSocket): ErrnoError => {
  // Declared as an error, but it is the code of one.
  const code: unknown = authorizationError
  return typeof code === "string" ? Object.assign(new Error(code), { code }) : error
}

/**
 * Does the handshake on an incoming connection. Destroying the connection ends it.
 *
 * **Details**
 *
 * Each connection gets its own server that listens nowhere, so that Node reports which handshake failed.
 *
 * @internal
 */
export const serverHandshake = (
  accepted: Net.Socket,
  credentials: TlsCredentials.Server,
  done: { readonly secure: (socket: Tls.TLSSocket) => void; readonly failed: (error: ErrnoError) => void }
): void => {
  // Our own limit covers the handshake.
  const server = Tls.createServer({ ...serverOptions(credentials), handshakeTimeout: 0 })
  server.once("tlsClientError", (error, socket) => done.failed(reason(error, socket)))
  server.once("secureConnection", (socket) => {
    socket.allowHalfOpen = true
    done.secure(socket)
  })
  // A peer that ends its side during the handshake has ended the handshake.
  accepted.allowHalfOpen = false
  server.emit("connection", accepted)
}
