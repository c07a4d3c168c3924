import type * as Tls from "node:tls"
import type { SocketAddress } from "../SocketAddress.ts"
import type * as TlsCredentials from "../TlsCredentials.ts"

export const clientOptions = (
  _credentials: TlsCredentials.Client,
  _address: SocketAddress
): Tls.ConnectionOptions => ({})
