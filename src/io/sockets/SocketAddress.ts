/**
 * The address that a socket listens on or connects to.
 *
 *     tcp:HOST:PORT        { _tag: "Tcp", host: HOST, port: PORT }     an IPv6 address is in brackets: tcp:[::1]:4444
 *     tcp::PORT            { _tag: "Tcp", host: "", port: PORT }       127.0.0.1
 *     unix:PATH            { _tag: "Unix", path: PATH }
 *
 * @since 0.1.0
 */

/**
 * A TCP port of a host.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface TcpAddress {
  readonly _tag: "Tcp"
  /**
   * A name or an address, IPv6 without brackets. Empty: this machine alone, `127.0.0.1`; use `0.0.0.0` or `::` for all
   * of its addresses.
   */
  readonly host: string
  /** 0 to 65535; a listener on 0 gets a free one. */
  readonly port: number
}

/**
 * A Unix domain socket.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface UnixAddress {
  readonly _tag: "Unix"
  /** 1 to 107 bytes. */
  readonly path: string
  /**
   * For a listener: `true` lets every user connect who can reach the path, so that only the directory decides. Default
   * `false`: this user, and others that the umask allows.
   */
  readonly everyUser?: boolean | undefined
}

/**
 * Every kind of address.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type SocketAddress = TcpAddress | UnixAddress

/**
 * Makes a TCP address.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const tcp = (host: string, port: number): TcpAddress => ({ _tag: "Tcp", host, port })

/**
 * Makes a Unix socket address.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const unix = (path: string, options?: Pick<UnixAddress, "everyUser">): UnixAddress => ({
  _tag: "Unix",
  path,
  ...options
})

/**
 * Longest path of a Unix socket that the kernel allows, in bytes, without the final zero.
 *
 * @stability stable
 * @category constants
 * @since 0.1.0
 */
export const MAX_UNIX_PATH: number = 107

/** Reachable only for programs on this machine. */
const LOOPBACK = "127.0.0.1"

/**
 * The address with a host, by default this machine. Such a listener cannot be reached from elsewhere; QEMU's own would
 * listen on every address.
 *
 * @stability stable
 * @category getters
 * @since 0.1.0
 */
export const withHost = (address: SocketAddress): SocketAddress =>
  address._tag === "Tcp" && address.host === "" ? tcp(LOOPBACK, address.port) : address

/**
 * Formats the address as a migration URI, which `MigrationUri.parse` accepts.
 *
 * **Example** (IPv6)
 *
 * ```ts
 * import { SocketAddress } from "effect-multifd"
 *
 * SocketAddress.format(SocketAddress.tcp("::1", 4444)) // => "tcp:[::1]:4444"
 * ```
 *
 * @stability stable
 * @category encoding
 * @since 0.1.0
 */
export const format = (address: SocketAddress): string => {
  if (address._tag === "Unix") return `unix:${address.path}`
  const host = address.host.includes(":") ? `[${address.host}]` : address.host
  return `tcp:${host}:${address.port}`
}
