/**
 * Warnings about an address before guest memory goes through it: who can connect, and who can read along. They are
 * texts to display or log, and prevent nothing.
 *
 *                        no TLS                         certificate of one side       both sides, or shared keys
 *     this machine       -                              -                             -
 *     anywhere else      anyone can send or read along  anyone can send               -
 *
 * @since 0.1.0
 */
import * as SocketAddress from "./SocketAddress.ts"
import type * as TlsCredentials from "./TlsCredentials.ts"

const LOOPBACK = /^(?:|localhost|127(?:\.\d{1,3}){3}|::1|::ffff:127(?:\.\d{1,3}){3})$/i

/** `true` if only programs on this machine can be the other end. A host name may refer to any machine. */
const staysHere = (address: SocketAddress.SocketAddress): boolean =>
  address._tag === "Unix" || LOOPBACK.test(address.host)

/**
 * Warnings for the user of a listener about who can reach it. None for a Unix socket, `localhost` and loopback
 * addresses, and none if every peer must present a certificate or a key.
 *
 * **Example** (A port on all addresses)
 *
 * ```ts
 * import { AddressWarnings } from "effect-multifd/io"
 * import { SocketAddress } from "effect-multifd"
 *
 * AddressWarnings.ofListener(SocketAddress.tcp("127.0.0.1", 4444), undefined) // => []
 * AddressWarnings.ofListener(SocketAddress.tcp("0.0.0.0", 4444), undefined) // => ["anyone who reaches tcp:0.0.0.0:4444 can …"]
 * ```
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const ofListener = (
  address: SocketAddress.SocketAddress,
  tls: TlsCredentials.Server | undefined
): ReadonlyArray<string> => {
  const checksPeer = tls !== undefined && (tls.verifyPeer || tls.psk !== undefined)
  if (staysHere(address) || checksPeer) return []
  const uri = SocketAddress.format(address)
  return tls === undefined
    ? [`anyone who reaches ${uri} can send an image or read along: listen on 127.0.0.1, or use TLS`]
    : [`anyone who reaches ${uri} can send an image: demand a certificate from the sender`]
}

/**
 * Warnings for the user of a sender about who can read along.
 *
 * @stability unstable
 * @category getters
 * @since 0.1.0
 */
export const ofSender = (
  address: SocketAddress.SocketAddress,
  tls: TlsCredentials.Client | undefined
): ReadonlyArray<string> =>
  staysHere(address) || tls !== undefined
    ? []
    : [`guest memory goes to ${SocketAddress.format(address)} in the clear: use TLS`]
