import * as SocketAddress from "../../io/SocketAddress.ts"

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1|::ffff:127(?:\.\d{1,3}){3})$/i

/** Whether only this machine's own programs can be at the other end. A name may stand for any machine. */
const staysHere = (address: SocketAddress.SocketAddress): boolean =>
  address._tag === "Unix" || LOOPBACK.test(address.host)

/**
 * What the user of a listener should know about who can reach it.
 *
 * @internal
 */
export const ofListener = (
  address: SocketAddress.SocketAddress,
  security: "none" | "server" | "both sides"
): ReadonlyArray<string> => {
  if (staysHere(address) || security === "both sides") return []
  const uri = SocketAddress.format(address)
  return security === "none"
    ? [`whoever reaches ${uri} can send an image or read along: listen on 127.0.0.1, or use --tls-dir or --tls-psk`]
    : [`whoever reaches ${uri} can send an image: --tls-verify-peer demands a certificate`]
}

/**
 * What the user of a sender should know about who can read along.
 *
 * @internal
 */
export const ofSender = (address: SocketAddress.SocketAddress, isSecured: boolean): ReadonlyArray<string> =>
  staysHere(address) || isSecured
    ? []
    : [`guest memory goes to ${SocketAddress.format(address)} in the clear: use --tls-dir or --tls-psk`]
