import * as Redacted from "effect/Redacted"
import * as Tls from "node:tls"
import type { SocketAddress } from "../SocketAddress.ts"
import type * as TlsCredentials from "../TlsCredentials.ts"

type CheckServer = NonNullable<Tls.ConnectionOptions["checkServerIdentity"]>

const nameMatches =
  (hostname: string): CheckServer =>
  (_connectedTo, certificate) =>
    Tls.checkServerIdentity(hostname, certificate)

const anyName: CheckServer = () => undefined

/** A server that presents a certificate has not proven that it knows the key. */
const noCertificate: CheckServer = (_connectedTo, certificate) =>
  "raw" in certificate
    ? Object.assign(new Error("expected a pre-shared key, found a certificate"), { code: "CERT_UNEXPECTED" })
    : undefined

/**
 * Node's options for a client's handshake.
 *
 * @internal
 */
export const clientOptions = (
  { context, hostname, psk }: TlsCredentials.Client,
  address: SocketAddress
): Tls.ConnectionOptions => {
  const { secureContext } = Redacted.value(context)
  if (psk !== undefined) {
    const answer = { identity: psk.identity, psk: Redacted.value(psk.key) }
    return { secureContext, checkServerIdentity: noCertificate, pskCallback: () => answer, minDHSize: 2048 }
  }
  const name = hostname ?? (address._tag === "Tcp" ? address.host : undefined)
  return { secureContext, checkServerIdentity: name === undefined ? anyName : nameMatches(name) }
}

/**
 * Node's options for a server's handshake.
 *
 * @internal
 */
export const serverOptions = ({ context, psk, verifyPeer }: TlsCredentials.Server): Tls.TlsOptions => ({
  ...Redacted.value(context).options,
  requestCert: verifyPeer,
  rejectUnauthorized: verifyPeer,
  ...(psk === undefined
    ? {}
    : {
        pskCallback: (_socket, identity) => {
          const key = psk.get(identity)
          return key === undefined ? null : Redacted.value(key)
        }
      })
})
