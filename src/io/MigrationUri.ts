/**
 * Where a migration goes to or comes from, as one string.
 *
 *     file:PATH[,offset=N]     a file or device, as QEMU writes it
 *     PATH                     the same without an offset, whatever characters it holds
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

/**
 * A file or device. Sockets come with their own tags.
 *
 * @category models
 * @since 0.1.0
 */
export interface FileUri {
  readonly _tag: "File"
  readonly path: string
  /** Where the migration stream begins in the file, in bytes. Left out: at its beginning. */
  readonly offset?: number
}

/**
 * Everything that a string can name.
 *
 * @category models
 * @since 0.1.0
 */
export type MigrationUri = FileUri

/**
 * The string names nothing that a migration could use. Nothing was touched; the caller corrects the string. Exit code 2.
 *
 * @category errors
 * @since 0.1.0
 */
export class MigrationUriError extends Schema.TaggedError<MigrationUriError>()("MigrationUriError", {
  /** The string as it was given. */
  uri: Schema.String,
  /** What would be right. */
  expected: Schema.String,
  /** What was found in its place. */
  found: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 2

  override get message(): string {
    return `migration URI ${JSON.stringify(this.uri)}: expected ${this.expected}, found ${JSON.stringify(this.found)}`
  }
}

const fileScheme = "file:"
const offsetOption = ",offset="

/** The schemes of QEMU's other transports. A file of such a name is written with a directory in front: `./tcp:x`. */
const otherSchemes = /^(?:tcp|unix|vsock|fd|exec|rdma):/

const powers: { readonly [suffix: string]: number } = { b: 0, k: 1, m: 2, g: 3, t: 4, p: 5, e: 6 }

const decimal = /^\s*\+?(?=\.?\d)(\d*)(\.\d*)?([bkmgtpe]?)$/i
const hexadecimal = /^\s*\+?(0x[0-9a-f]+)$/i

const parseDecimal = (text: string): number | undefined => {
  const match = decimal.exec(text)
  if (match === null) return undefined
  const unit = 1024 ** powers[match[3]!.toLowerCase() || "b"]!
  const fraction = Number(`0${match[2] ?? ""}`)
  if (unit === 1 && fraction !== 0) return undefined
  return Number(match[1]) * unit + Math.round(fraction * unit)
}

/**
 * Reads a number of bytes in QEMU's forms: `4095`, `0x1000`, `1M`, `1.5k`. Fractions of a byte are rounded. `undefined`
 * for anything else, and for 2^53 and more, which are no file positions here.
 *
 * @category decoding
 * @since 0.1.0
 */
export const parseSize = (text: string): number | undefined => {
  const hex = hexadecimal.exec(text)
  const size = hex === null ? parseDecimal(text) : Number(hex[1])
  return size !== undefined && Number.isSafeInteger(size) ? size : undefined
}

/** The first `,offset=` cuts the name, as in QEMU. */
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

/**
 * Reads `file:PATH`, `file:PATH,offset=N` or a bare path.
 *
 * **Example** (QEMU's form)
 *
 * ```ts
 * import { MigrationUri } from "effect-multifd"
 *
 * MigrationUri.parse("file:/var/lib/vm/image,offset=1M") // => { _tag: "File", path: "/var/lib/vm/image", offset: 1048576 }
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const parse = (uri: string): Result.Result<MigrationUri, MigrationUriError> => {
  if (uri.startsWith(fileScheme)) return parseFile(uri)
  const other = otherSchemes.exec(uri)
  if (uri === "" || other !== null) {
    return Result.fail(new MigrationUriError({ uri, expected: "file:PATH or a path", found: other?.[0] ?? uri }))
  }
  return Result.succeed({ _tag: "File", path: uri })
}
