import * as ConnectionError from "../ConnectionError.ts"
import { codeOf } from "../../internal/errno.ts"

/** OpenSSL found something other than a TLS record. */
const plaintext =
  /^ERR_SSL_(?:WRONG_VERSION_NUMBER|HTTP_REQUEST|HTTPS_PROXY_REQUEST|PACKET_LENGTH_TOO_LONG|BAD_RECORD_TYPE)$/
/** Verification errors, by OpenSSL's names (`CERT_HAS_EXPIRED`, `UNABLE_TO_VERIFY_LEAF_SIGNATURE`, …). */
const certificate = /^(?!ERR_SSL_).*(?:CERT|CRL|UNABLE_TO|SELF_SIGNED|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH)/
const noCertificate = /^ERR_SSL_.*(?:DID_NOT_RETURN_A_CERTIFICATE|NO_CERTIFICATE)/
/** GnuTLS, and therefore QEMU, sends no certificate at all if its authority is not among those requested. */
const NONE_SHOWN = "expected one of an authority that we know, found none"
/** With keys, the first record that cannot be decrypted shows the problem. */
const key = /PSK|BINDER|CIPHER_OPERATION_FAILED|BAD_RECORD_MAC|DIGEST_CHECK_FAILED|DECRYPTION_FAILED/
/** The peer refused by a TLS alert, or by closing. */
const refused = /ALERT|^(?:ECONNRESET|EPIPE)$/

const handshakeReason = (code: string): ConnectionError.TlsReason => {
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return "hostname"
  if (plaintext.test(code)) return "plaintext"
  if (certificate.test(code) || noCertificate.test(code)) return "certificate"
  if (refused.test(code)) return "refused"
  return key.test(code) ? "key" : "handshake"
}

/**
 * Converts the failure of a handshake to its class.
 *
 * @internal
 */
export const handshakeFailure = (peer: string, cause: Error): ConnectionError.TlsError => {
  const code = codeOf(cause)
  const detail = noCertificate.test(code) ? NONE_SHOWN : undefined
  return new ConnectionError.TlsError({ peer, reason: handshakeReason(code), code, detail, cause })
}

const reaching = new Set<unknown>(["connect", "getaddrinfo"])

/**
 * Converts the failure of an attempt to connect to its class.
 *
 * @internal
 */
export const connectFailure = (
  address: string,
  cause: NodeJS.ErrnoException,
  options: { readonly tls: boolean }
): ConnectionError.ConnectError | ConnectionError.TlsError =>
  options.tls && !reaching.has(cause.syscall)
    ? handshakeFailure(address, cause)
    : new ConnectionError.ConnectError({ address, code: codeOf(cause), cause })

/**
 * Converts the failure of an established connection to its class.
 *
 * @internal
 */
export const transferFailure = (
  peer: string,
  operation: ConnectionError.ConnectionLostError["operation"],
  cause: Error
): ConnectionError.ConnectionLostError | ConnectionError.TlsError => {
  const code = codeOf(cause)
  return code.startsWith("ERR_SSL_")
    ? new ConnectionError.TlsError({ peer, reason: "record", code, cause })
    : new ConnectionError.ConnectionLostError({ peer, operation, code, cause })
}
