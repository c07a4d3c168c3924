/**
 * Where a socket listens or connects to.
 *
 *     tcp:HOST:PORT        { _tag: "Tcp", host: HOST, port: PORT }     an IPv6 address stands in brackets: tcp:[::1]:4444
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
   * A name or an address, IPv6 without brackets. Empty: this machine alone, `127.0.0.1`; every address of it is `0.0.0.0` or
   * `::`.
   */
  readonly host: string
  /** 0 to 65535; a listener on 0 is given a free one. */
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
   * Of a listener: whether every user may connect who can reach the path, so that the directory alone decides. Default `false`:
   * this user, and whom else the umask lets.
   */
  readonly everyUser?: boolean | undefined
}

/**
 * Everything that can be listened on or connected to.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type SocketAddress = TcpAddress | UnixAddress

/**
 * A TCP port.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const tcp = (host: string, port: number): TcpAddress => ({ _tag: "Tcp", host, port })

/**
 * A Unix domain socket.
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
 * Bytes of a Unix socket's path that the kernel has room for, the zero behind it left out.
 *
 * @stability stable
 * @category constants
 * @since 0.1.0
 */
export const MAX_UNIX_PATH: number = 107

/** Nobody but this machine's own programs. */
const LOOPBACK = "127.0.0.1"

/**
 * The address with a host, which is this machine where none is named. A listener that was not told otherwise cannot be
 * reached from elsewhere; QEMU's own would listen on every address.
 *
 * @stability stable
 * @category getters
 * @since 0.1.0
 */
export const withHost = (address: SocketAddress): SocketAddress =>
  address._tag === "Tcp" && address.host === "" ? tcp(LOOPBACK, address.port) : address

/**
 * The address as a migration URI, which `MigrationUri.parse` reads back.
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
