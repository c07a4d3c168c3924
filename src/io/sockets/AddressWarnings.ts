/**
 * What there is to know about an address before guest memory goes through it: who can connect, and who can read along. Texts
 * to be shown or logged; they keep nothing from being done.
 *
 *                        no TLS                         certificate of one side       both sides, or shared keys
 *     this machine       -                              -                             -
 *     anywhere else      anybody sends or reads along   anybody sends                 -
 *
 * @since 0.1.0
 */
import * as SocketAddress from "./SocketAddress.ts"
import type * as TlsCredentials from "./TlsCredentials.ts"

const LOOPBACK = /^(?:|localhost|127(?:\.\d{1,3}){3}|::1|::ffff:127(?:\.\d{1,3}){3})$/i

/** Whether only this machine's own programs can be at the other end. A name may stand for any machine. */
const staysHere = (address: SocketAddress.SocketAddress): boolean =>
  address._tag === "Unix" || LOOPBACK.test(address.host)

/**
 * What the user of a listener should know about who can reach it; nothing of a Unix socket, of `localhost` and of loopback
 * addresses, nor where everybody has to show a certificate or a key.
 *
 * **Example** (A port of every address)
 *
 * ```ts
 * import { AddressWarnings } from "effect-multifd/io"
 * import { SocketAddress } from "effect-multifd"
 *
 * AddressWarnings.ofListener(SocketAddress.tcp("127.0.0.1", 4444), undefined) // => []
 * AddressWarnings.ofListener(SocketAddress.tcp("0.0.0.0", 4444), undefined) // => ["whoever reaches tcp:0.0.0.0:4444 can …"]
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
    ? [`whoever reaches ${uri} can send an image or read along: listen on 127.0.0.1, or use TLS`]
    : [`whoever reaches ${uri} can send an image: demand a certificate of the sender`]
}

/**
 * What the user of a sender should know about who can read along.
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
