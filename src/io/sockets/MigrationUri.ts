/**
 * The destination or origin of a migration, as one string.
 *
 *     file:PATH[,offset=N]     a file or device, as QEMU writes it
 *     PATH                     the same without an offset, whatever characters it holds
 *     tcp:HOST:PORT            a TCP port; an IPv6 address is in brackets, no host is 127.0.0.1
 *     unix:PATH                a Unix domain socket, whatever characters its path holds
 *
 *     N = [+] digits                      bytes
 *       | [+] 0x hexdigits                bytes
 *       | [+] digits[.digits] suffix      b, k, m, g, t, p, e in either case: 1, 2^10, 2^20, …
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../../ram/TaggedError.ts"
import * as Invariant from "../../ram/Invariant.ts"
import * as SocketAddress from "./SocketAddress.ts"

/**
 * A file or device.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface FileUri {
  readonly _tag: "File"
  readonly path: string
  /** Byte offset of the migration stream in the file. Default: its start. */
  readonly offset?: number
}

/**
 * Everything that a migration URI can name.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type MigrationUri = FileUri | SocketAddress.SocketAddress

/**
 * The string is not a valid migration URI. Nothing was touched; the caller must correct the string. Exit code 2.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class MigrationUriError extends TaggedError<MigrationUriError>()("MigrationUriError", {
  /** The given string. */
  uri: Schema.String,
  /** The valid forms. */
  expected: Schema.String,
  /** The invalid part. */
  found: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 2

  override get message(): string {
    return `migration URI ${JSON.stringify(this.uri)}: ${JSON.stringify(this.found)} is invalid; use ${this.expected}`
  }
}

const fileScheme = "file:"
const tcpScheme = "tcp:"
const unixScheme = "unix:"
const offsetOption = ",offset="

/** The schemes of QEMU's other transports. Write a file of such a name with a directory: `./tcp:x`. */
const otherSchemes = /^(?:vsock|fd|exec|rdma):/

const powers: { readonly [suffix: string]: number } = { b: 0, k: 1, m: 2, g: 3, t: 4, p: 5, e: 6 }

const decimal = /^\s*\+?(?=\.?\d)(\d*)(\.\d*)?([bkmgtpe]?)$/i
const hexadecimal = /^\s*\+?(0x[0-9a-f]+)$/i

const parseDecimal = (text: string): number | undefined => {
  const match = decimal.exec(text)
  if (match === null) return undefined
  const unit = 1024 ** Invariant.defined(powers[(match[3] ?? "").toLowerCase() || "b"], "every unit has its power")
  const fraction = Number(`0${match[2] ?? ""}`)
  if (unit === 1 && fraction !== 0) return undefined
  return Number(match[1]) * unit + Math.round(fraction * unit)
}

/**
 * Parses a number of bytes in QEMU's forms: `4095`, `0x1000`, `1M`, `1.5k`. Fractions of a byte are rounded.
 * `undefined` for anything else, and for 2^53 and above, which are not valid file positions here.
 *
 * @stability stable
 * @category decoding
 * @since 0.1.0
 */
export const parseSize = (text: string): number | undefined => {
  const hex = hexadecimal.exec(text)
  const size = hex === null ? parseDecimal(text) : Number(hex[1])
  return size !== undefined && Number.isSafeInteger(size) ? size : undefined
}

/** The first `,offset=` ends the name, as in QEMU. */
const parseFile = (uri: string): Result.Result<FileUri, MigrationUriError> => {
  const rest = uri.slice(fileScheme.length)
  const cut = rest.indexOf(offsetOption)
  const path = cut < 0 ? rest : rest.slice(0, cut)
  if (path === "") return Result.fail(new MigrationUriError({ uri, expected: "a path after file:", found: rest }))
  if (cut < 0) return Result.succeed({ _tag: "File", path })
  const size = rest.slice(cut + offsetOption.length)
  const offset = parseSize(size)
  return offset === undefined
    ? Result.fail(
        new MigrationUriError({ uri, expected: "an offset in bytes, such as 4096, 0x1000 or 1.5k", found: size })
      )
    : Result.succeed({ _tag: "File", path, offset })
}

/** The host is in brackets, or has no colon. */
const hostAndPort = /^(?:\[([^[\]]+)\]|([^:[\]]*)):(\d{1,5})$/

const MAX_PORT = 65535

/** QEMU also accepts service names and options like `,ipv4=on`; here they are refused rather than ignored. */
const parseTcp = (uri: string): Result.Result<SocketAddress.TcpAddress, MigrationUriError> => {
  const rest = uri.slice(tcpScheme.length)
  const match = hostAndPort.exec(rest)
  const port = Number(match?.[3])
  if (match === null || port > MAX_PORT) {
    const expected = `HOST:PORT after tcp:, with a port of 0 to ${MAX_PORT}`
    return Result.fail(new MigrationUriError({ uri, expected, found: rest }))
  }
  return Result.succeed(SocketAddress.tcp(match[1] ?? match[2] ?? "", port))
}

const parseUnix = (uri: string): Result.Result<SocketAddress.UnixAddress, MigrationUriError> => {
  const path = uri.slice(unixScheme.length)
  const length = Buffer.byteLength(path)
  if (length >= 1 && length <= SocketAddress.MAX_UNIX_PATH && !path.includes("\0"))
    return Result.succeed(SocketAddress.unix(path))
  const expected = `a path of 1 to ${SocketAddress.MAX_UNIX_PATH} bytes after unix:`
  return Result.fail(new MigrationUriError({ uri, expected, found: path }))
}

/**
 * Parses a migration URI in one of the forms above, or a bare path.
 *
 * **Example** (QEMU's forms)
 *
 * ```ts
 * import { MigrationUri } from "effect-multifd"
 *
 * MigrationUri.parse("file:/var/lib/vm/image,offset=1M") // => { _tag: "File", path: "/var/lib/vm/image", offset: 1048576 }
 * MigrationUri.parse("tcp:[::1]:4444") // => { _tag: "Tcp", host: "::1", port: 4444 }
 * ```
 *
 * @stability stable
 * @category decoding
 * @since 0.1.0
 */
export const parse = (uri: string): Result.Result<MigrationUri, MigrationUriError> => {
  if (uri.startsWith(fileScheme)) return parseFile(uri)
  if (uri.startsWith(tcpScheme)) return parseTcp(uri)
  if (uri.startsWith(unixScheme)) return parseUnix(uri)
  const other = otherSchemes.exec(uri)
  if (uri === "" || other !== null) {
    return Result.fail(
      new MigrationUriError({ uri, expected: "file:, tcp:, unix: or a path", found: other?.[0] ?? uri })
    )
  }
  return Result.succeed({ _tag: "File", path: uri })
}
