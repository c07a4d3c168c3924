/**
 * The argument that gives the location of a RAM block's pages.
 *
 *     ID=PATH[,offset=N][,length=N]
 *
 *     ID     up to the first "="; QEMU's names contain slashes, dots and "@", but no "="
 *     PATH   up to the first ",NAME="; other commas are part of it
 *     N      bytes, in the forms of QEMU's own `offset=`: 4096, 0x1000, 1.5k, 2G
 */
import * as Result from "effect/Result"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../../ram/TaggedError.ts"
import * as MigrationUri from "../../io/sockets/MigrationUri.ts"

/**
 * A RAM block in a file or device.
 *
 * @internal
 */
export interface BlockArgument {
  /** QEMU's name of the block. */
  readonly idstr: string
  readonly path: string
  /** Byte offset of the block's first page in the file. Default 0. */
  readonly offset?: number | undefined
  /** Bytes of the block. Default: its length in the image; without an image, everything from `offset`. */
  readonly length?: number | undefined
}

/**
 * The text is not a valid block argument. Nothing was touched; the caller must correct the text. Exit code 2.
 *
 * @internal
 */
export class BlockArgumentError extends TaggedError<BlockArgumentError>()("BlockArgumentError", {
  /** The given text. */
  text: Schema.String,
  /** The valid forms. */
  expected: Schema.String,
  /** The invalid part. */
  found: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 2
  override get message() {
    return `${JSON.stringify(this.text)}: ${JSON.stringify(this.found)} is invalid; use ${this.expected}`
  }
}

const SIZE = "bytes, such as 4096, 0x1000 or 1.5k"
const option = /,([a-z_-]+)=([^,]*)/y
const firstOption = /,[a-z_-]+=/

type Ranges = Pick<BlockArgument, "offset" | "length">

const parseOptions = (text: string, options: string): Result.Result<Ranges, BlockArgumentError> => {
  const fail = (expected: string, found: string) => Result.fail(new BlockArgumentError({ text, expected, found }))
  const sizes: { offset?: number; length?: number } = {}
  option.lastIndex = 0
  while (option.lastIndex < options.length) {
    const rest = options.slice(option.lastIndex)
    const match = option.exec(options)
    const [, name, value = ""] = match ?? []
    if (name !== "offset" && name !== "length") return fail("offset=N or length=N", rest.slice(1))
    if (sizes[name] !== undefined) return fail(`${name}= once`, rest.slice(1))
    const size = MigrationUri.parseSize(value)
    if (size === undefined) return fail(`${name} in ${SIZE}`, value)
    sizes[name] = size
  }
  return Result.succeed(sizes)
}

/**
 * Parses `ID=PATH[,offset=N][,length=N]`.
 *
 * @internal
 */
export const parse = (text: string): Result.Result<BlockArgument, BlockArgumentError> => {
  const equals = text.indexOf("=")
  const idstr = text.slice(0, Math.max(equals, 0))
  const place = text.slice(equals + 1)
  const cut = place.search(firstOption)
  const path = cut < 0 ? place : place.slice(0, cut)
  if (idstr === "" || path === "") {
    return Result.fail(new BlockArgumentError({ text, expected: "ID=PATH[,offset=N][,length=N]", found: text }))
  }
  if (path === "-") {
    const expected = 'a file or a device, or "./-" for a file of that name'
    return Result.fail(new BlockArgumentError({ text, expected, found: path }))
  }
  return Result.map(parseOptions(text, cut < 0 ? "" : place.slice(cut)), (sizes) => ({ idstr, path, ...sizes }))
}
