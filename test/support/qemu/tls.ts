/**
 * Both sides of TLS, with the certificates and keys of `test/fixtures/tls`.
 */
import * as Effect from "effect/Effect"
import * as Path from "node:path"
import * as TlsCredentials from "../../../src/io/sockets/TlsCredentials.ts"

const FIXTURES = Path.resolve(import.meta.dirname, "../../fixtures/tls")

/** A directory of certificates or keys; its README says what each is for. */
export const directory = (name: string): string => Path.join(FIXTURES, name)

/** The file with the keys of a directory. */
export const keys = (name: string): string => Path.join(FIXTURES, name, "keys.psk")

/** The id of the object in all guests. */
export const ID = "tls0"

type Endpoint = "client" | "server"

/** Arguments of a guest that has certificates. A server demands one of its clients unless `verifyPeer` is false. */
export const x509 = (endpoint: Endpoint, name: string, verifyPeer = true): ReadonlyArray<string> => {
  const verify = verifyPeer ? "on" : "off"
  return ["-object", `tls-creds-x509,id=${ID},endpoint=${endpoint},dir=${directory(name)},verify-peer=${verify}`]
}

/** Arguments of a guest that has keys; a client uses the one of `qemu`. */
export const psk = (endpoint: Endpoint, name: string): ReadonlyArray<string> => [
  "-object",
  `tls-creds-psk,id=${ID},endpoint=${endpoint},dir=${directory(name)}`
]

/** Our credentials as a client, of the same directories. */
export const client = {
  none: Effect.succeed(undefined),
  x509: TlsCredentials.clientFromDirectory(directory("x509"), { hostname: "localhost" }),
  psk: TlsCredentials.clientFromPskFile(keys("psk"))
}

/** Our credentials as a server. */
export const server = {
  none: Effect.succeed(undefined),
  x509: TlsCredentials.serverFromDirectory(directory("x509")),
  psk: TlsCredentials.serverFromPskFile(keys("psk"))
}
