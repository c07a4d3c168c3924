import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Crypto from "node:crypto"
import * as Tls from "node:tls"
import { TlsError } from "../ConnectionError.ts"

/**
 * The inputs of a context, and the context.
 *
 * @internal
 */
export interface Settings {
  readonly options: Tls.SecureContextOptions
  readonly secureContext: Tls.SecureContext
}

type Endpoint = "client" | "server"

interface Pem {
  readonly ca: string
  readonly crl: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
}

/** No tickets, and no second handshake on a connection. */
const serverSecureOptions = Crypto.constants.SSL_OP_NO_TICKET | Crypto.constants.SSL_OP_NO_RENEGOTIATION

const versions = (endpoint: Endpoint): Tls.SecureContextOptions => ({
  minVersion: "TLSv1.2",
  // Node cannot make OpenSSL's TLS 1.3 send no tickets.
  ...(endpoint === "server" ? { maxVersion: "TLSv1.2", secureOptions: serverSecureOptions } : {})
})

const settings = (options: Tls.SecureContextOptions): Settings => ({
  options,
  secureContext: Tls.createSecureContext(options)
})

/**
 * The context of certificates, or the reason why it cannot be made.
 *
 * @internal
 */
export const contextOf = (
  endpoint: Endpoint,
  directory: string,
  { ca, cert, crl, key }: Pem
): Effect.Effect<Redacted.Redacted<Settings>, TlsError> =>
  Effect.try({
    try: () => Redacted.make(settings({ ...versions(endpoint), ca, crl, cert, key })),
    catch: (cause) => {
      const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "EINVAL"
      return new TlsError({ peer: directory, reason: "credentials", code, cause })
    }
  })

/** Ciphers that keep recorded traffic secret if the key becomes known later, the faster ones first. */
const pskCiphers = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_CHACHA20_POLY1305_SHA256",
  "DHE-PSK-AES128-GCM-SHA256",
  "DHE-PSK-AES256-GCM-SHA384",
  "ECDHE-PSK-CHACHA20-POLY1305",
  "DHE-PSK-CHACHA20-POLY1305"
].join(":")

/**
 * The context of pre-shared keys: it has no certificates and accepts none.
 *
 * @internal
 */
export const pskContext = (endpoint: Endpoint): Redacted.Redacted<Settings> =>
  Redacted.make(settings({ ...versions(endpoint), ciphers: pskCiphers, dhparam: "auto", ca: [] }))
