import type * as Net from "node:net"
import * as Tls from "node:tls"
import type { ErrnoError } from "../Network.ts"
import type * as TlsCredentials from "../TlsCredentials.ts"
import { serverOptions } from "./tlsOptions.ts"

/**
 * Shakes hands on a connection that came in. Destroying the connection ends it.
 *
 * **Details**
 *
 * A server of its own for each connection, which listens nowhere: that is how Node tells which handshake failed.
 *
 * @internal
 */
export const serverHandshake = (
  accepted: Net.Socket,
  credentials: TlsCredentials.Server,
  done: { readonly secure: (socket: Tls.TLSSocket) => void; readonly failed: (error: ErrnoError) => void }
): void => {
  // Our own limit covers the handshake.
  const server = Tls.createServer({ ...serverOptions(credentials), handshakeTimeout: 0, allowHalfOpen: true })
  server.once("tlsClientError", done.failed)
  server.once("secureConnection", done.secure)
  server.emit("connection", accepted)
}
