/**
 * What one side of a TLS connection has to show, and whom it trusts: certificates in QEMU's files, or keys shared
 * beforehand.
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
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Tls from "node:tls"
import type { TlsError } from "./ConnectionError.ts"

/**
 * Keys that both sides know, by the name of who uses them.
 *
 * @category models
 * @since 0.1.0
 */
export type Keys = ReadonlyMap<string, Redacted.Redacted<Uint8Array>>

/**
 * For the side that connects.
 *
 * @category models
 * @since 0.1.0
 */
export interface Client {
  readonly endpoint: "client"
  readonly context: Tls.SecureContext
  /** The host that the server's certificate has to name, instead of the one that is connected to. */
  readonly hostname: string | undefined
  /** With pre-shared keys, there are no certificates. */
  readonly psk: { readonly identity: string; readonly key: Redacted.Redacted<Uint8Array> } | undefined
}

/**
 * For the side that listens.
 *
 * @category models
 * @since 0.1.0
 */
export interface Server {
  readonly endpoint: "server"
  readonly context: Tls.SecureContext
  /** Whether clients have to show a certificate that the authority signed. */
  readonly verifyPeer: boolean
  /** With pre-shared keys, there are no certificates. */
  readonly psk: Keys | undefined
}

/**
 * Reads a client's certificates from a directory.
 *
 * **Details**
 *
 * `ca-cert.pem` has to be there; `client-cert.pem` and `client-key.pem` are there both or not at all. The server's
 * certificate is always verified, and its name compared with `hostname`, by default the host that is connected to. A Unix
 * socket has no host: without a `hostname`, the name is not compared, as in QEMU.
 *
 * **Failure effect**: nothing was opened for longer than it took to read.
 *
 * @category constructors
 * @since 0.1.0
 */
export declare const clientFromDirectory: (
  directory: string,
  options?: { readonly hostname?: string | undefined }
) => Effect.Effect<Client, TlsError>

/**
 * Reads a server's certificates from a directory.
 *
 * **Details**
 *
 * `ca-cert.pem`, `server-cert.pem` and `server-key.pem` have to be there. `verifyPeer` (default true, as in QEMU) demands
 * a certificate of every client.
 *
 * **Failure effect**: nothing was opened for longer than it took to read.
 *
 * @category constructors
 * @since 0.1.0
 */
export declare const serverFromDirectory: (
  directory: string,
  options?: { readonly verifyPeer?: boolean | undefined }
) => Effect.Effect<Server, TlsError>

/**
 * Takes a client's key from a file of `IDENTITY:HEXKEY` lines: that of `identity`, by default `qemu` as in QEMU.
 *
 * @category constructors
 * @since 0.1.0
 */
export declare const clientFromPskFile: (
  path: string,
  options?: { readonly identity?: string | undefined }
) => Effect.Effect<Client, TlsError>

/**
 * Takes the keys of all clients from a file of `IDENTITY:HEXKEY` lines.
 *
 * @category constructors
 * @since 0.1.0
 */
export declare const serverFromPskFile: (path: string) => Effect.Effect<Server, TlsError>
