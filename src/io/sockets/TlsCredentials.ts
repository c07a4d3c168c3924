/**
 * The credentials of one side of a TLS connection, and the peers it trusts: certificates in QEMU's files, or pre-shared
 * keys.
 *
 *     --object tls-creds-x509,dir=DIR                      --object tls-creds-psk,dir=DIR
 *
 *     DIR/ca-cert.pem        both sides                    DIR/keys.psk     IDENTITY:HEXKEY
 *     DIR/ca-crl.pem         both sides, may be missing                     IDENTITY:HEXKEY
 *     DIR/server-cert.pem    server                                         …
 *     DIR/server-key.pem     server
 *     DIR/client-cert.pem    client, may be missing
 *     DIR/client-key.pem     client, may be missing
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { TlsError } from "./ConnectionError.ts"
import { contextOf, pskContext, type Settings } from "./internal/tlsContext.ts"
import { readKeys, readPem, readPemIfThere, unusable } from "./internal/tlsFiles.ts"
import type { Keys } from "./internal/tlsCredentialsModel.ts"

export type { Keys } from "./internal/tlsCredentialsModel.ts"

/**
 * The TLS library's settings for a connection. They hold private keys, so they are not printed.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Context = Redacted.Redacted<Settings>

/**
 * Credentials of the side that connects.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Client {
  readonly endpoint: "client"
  readonly context: Context
  /** The host that the server's certificate must name, instead of the host of the address. */
  readonly hostname: string | undefined
  /** With pre-shared keys, there are no certificates. */
  readonly psk: { readonly identity: string; readonly key: Redacted.Redacted<Uint8Array> } | undefined
}

/**
 * Credentials of the side that listens.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Server {
  readonly endpoint: "server"
  readonly context: Context
  /** `true` to demand from clients a certificate signed by the authority. */
  readonly verifyPeer: boolean
  /** With pre-shared keys, there are no certificates. */
  readonly psk: Keys | undefined
}

/**
 * Reads a client's certificates from a directory.
 *
 * **Details**
 *
 * `ca-cert.pem` is required; `client-cert.pem` and `client-key.pem` are optional, but only together. The server's
 * certificate is always verified, and its name compared with `hostname`, by default the host of the address. A Unix
 * socket has no host: without a `hostname`, the name is not compared, as in QEMU. Supports TLS 1.2 and 1.3.
 *
 * **Failure effect**: `TlsError` of reason `credentials`, with the path; no file is open.
 *
 * **Example** (Connecting to a QEMU that listens with TLS)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Connection } from "effect-multifd/io"
 * import { SocketAddress, TlsCredentials } from "effect-multifd"
 *
 * const connect = Effect.gen(function* () {
 *   const tls = yield* TlsCredentials.clientFromDirectory("/etc/pki/qemu", { hostname: "host2.example" })
 *   return yield* Connection.connect({ address: SocketAddress.tcp("10.0.0.2", 4444), tls })
 * })
 * ```
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const clientFromDirectory = Effect.fnUntraced(function* (
  directory: string,
  options: { readonly hostname?: string | undefined } = {}
): Effect.fn.Return<Client, TlsError> {
  const ca = yield* readPem(directory, "ca-cert.pem")
  const crl = yield* readPemIfThere(directory, "ca-crl.pem")
  const cert = yield* readPemIfThere(directory, "client-cert.pem")
  const key = cert === undefined ? undefined : yield* readPem(directory, "client-key.pem")
  const context = yield* contextOf("client", directory, { ca, crl, cert, key })
  return { endpoint: "client", context, hostname: options.hostname, psk: undefined }
})

/**
 * Reads a server's certificates from a directory.
 *
 * **Details**
 *
 * `ca-cert.pem`, `server-cert.pem` and `server-key.pem` are required. `verifyPeer` (default true, as in QEMU) demands a
 * certificate from every client.
 *
 * Supports only TLS 1.2, and sends no session tickets. A QEMU source never reads, so the tickets that a TLS 1.3 server
 * sends after the handshake would turn its close into a reset, and data in flight would be lost.
 *
 * **Failure effect**: `TlsError` of reason `credentials`, with the path; no file is open.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const serverFromDirectory = Effect.fnUntraced(function* (
  directory: string,
  options: { readonly verifyPeer?: boolean | undefined } = {}
): Effect.fn.Return<Server, TlsError> {
  const ca = yield* readPem(directory, "ca-cert.pem")
  const crl = yield* readPemIfThere(directory, "ca-crl.pem")
  const cert = yield* readPem(directory, "server-cert.pem")
  const key = yield* readPem(directory, "server-key.pem")
  const context = yield* contextOf("server", directory, { ca, crl, cert, key })
  return { endpoint: "server", context, verifyPeer: options.verifyPeer ?? true, psk: undefined }
})

/**
 * Reads a client's key from a file of `IDENTITY:HEXKEY` lines: the key of `identity`, by default `qemu` as in QEMU.
 *
 * **Failure effect**: `TlsError` of reason `credentials`, with the path; no file is open.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const clientFromPskFile = Effect.fnUntraced(function* (
  path: string,
  options: { readonly identity?: string | undefined } = {}
): Effect.fn.Return<Client, TlsError> {
  const identity = options.identity ?? "qemu"
  const key = (yield* readKeys(path)).get(identity)
  if (key === undefined) return yield* unusable(path, `expected a key of ${JSON.stringify(identity)}, found none`)
  return { endpoint: "client", context: pskContext("client"), hostname: undefined, psk: { identity, key } }
})

/**
 * Reads the keys of all clients from a file of `IDENTITY:HEXKEY` lines. Supports only TLS 1.2, see
 * {@link serverFromDirectory}.
 *
 * **Failure effect**: `TlsError` of reason `credentials`, with the path; no file is open.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const serverFromPskFile = Effect.fnUntraced(function* (path: string): Effect.fn.Return<Server, TlsError> {
  const psk = yield* readKeys(path)
  return { endpoint: "server", context: pskContext("server"), verifyPeer: false, psk }
})
