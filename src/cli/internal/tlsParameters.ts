import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { TlsError } from "../../io/sockets/ConnectionError.ts"
import * as TlsCredentials from "../../io/sockets/TlsCredentials.ts"

const directory = Flag.String("tls-dir").pipe(
  Flag.withMetavar("DIR"),
  Flag.withDescription("TLS with the certificates in DIR, under QEMU's names: ca-cert.pem, server-cert.pem, …"),
  Flag.optional
)

const psk = Flag.String("tls-psk").pipe(
  Flag.withMetavar("FILE"),
  Flag.withDescription("TLS with pre-shared keys, from lines IDENTITY:HEXKEY; the sender's identity is qemu"),
  Flag.optional
)

const hostname = Flag.String("tls-hostname").pipe(
  Flag.withMetavar("NAME"),
  Flag.withDescription("Host name expected in the receiver's certificate (default: the host of --to)"),
  Flag.optional
)

const verifyPeer = (description: string) =>
  Flag.Boolean("tls-verify-peer").pipe(Flag.withoutNegation, Flag.withDescription(description), Flag.withDefault(false))

/**
 * TLS options of the side that connects.
 *
 * @internal
 */
export const client = {
  tlsDir: directory,
  tlsPsk: psk,
  tlsHostname: hostname,
  tlsVerifyPeer: verifyPeer("Accepted for symmetry: the receiver's certificate is always verified")
}

/**
 * TLS options of the side that listens.
 *
 * @internal
 */
export const server = {
  tlsDir: directory,
  tlsPsk: psk,
  tlsVerifyPeer: verifyPeer("Require a certificate from the sender")
}

interface Flags {
  readonly tlsDir: Option.Option<string>
  readonly tlsPsk: Option.Option<string>
  readonly tlsVerifyPeer: boolean
}

interface ClientFlags extends Flags {
  readonly tlsHostname: Option.Option<string>
}

/**
 * Flags that exclude each other.
 *
 * @internal
 */
export const conflictsOf = (flags: Flags | ClientFlags): ReadonlyArray<string> => {
  const { tlsDir, tlsPsk, tlsVerifyPeer } = flags
  const isNamed = "tlsHostname" in flags && Option.isSome(flags.tlsHostname)
  const isSecured = Option.isSome(tlsDir) || Option.isSome(tlsPsk)
  return [
    ...(Option.isSome(tlsDir) && Option.isSome(tlsPsk)
      ? ["--tls-dir and --tls-psk exclude each other; use one of them"]
      : []),
    ...(tlsVerifyPeer && !isSecured ? ["--tls-verify-peer needs TLS; add --tls-dir or --tls-psk"] : []),
    ...(isNamed && Option.isNone(tlsDir) ? ["--tls-hostname needs certificates; add --tls-dir"] : [])
  ]
}

/**
 * Reads the credentials of the side that connects; `undefined` without TLS.
 *
 * @internal
 */
export const readClient = ({
  tlsDir,
  tlsHostname,
  tlsPsk
}: ClientFlags): Effect.Effect<TlsCredentials.Client | undefined, TlsError> => {
  if (Option.isSome(tlsPsk)) return TlsCredentials.clientFromPskFile(tlsPsk.value)
  if (Option.isNone(tlsDir)) return Effect.succeed(undefined)
  return TlsCredentials.clientFromDirectory(tlsDir.value, { hostname: Option.getOrUndefined(tlsHostname) })
}

/**
 * Reads the credentials of the side that listens; `undefined` without TLS.
 *
 * @internal
 */
export const readServer = ({
  tlsDir,
  tlsPsk,
  tlsVerifyPeer
}: Flags): Effect.Effect<TlsCredentials.Server | undefined, TlsError> => {
  if (Option.isSome(tlsPsk)) return TlsCredentials.serverFromPskFile(tlsPsk.value)
  if (Option.isNone(tlsDir)) return Effect.succeed(undefined)
  return TlsCredentials.serverFromDirectory(tlsDir.value, { verifyPeer: tlsVerifyPeer })
}
