import * as Argument from "effect/cli/Argument"
import * as CliError from "effect/cli/CliError"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as MigrationUri from "../../io/sockets/MigrationUri.ts"
import { limits } from "../../transfer/PipelineOptions.ts"
import * as BlockArgument from "./blockArgument.ts"
import * as Environment from "./environment.ts"

/**
 * A value that does not parse is a usage error with the valid forms.
 *
 * @internal
 */
export const parsed =
  <A>(label: string, parse: (text: string) => Result.Result<A, { readonly message: string }>) =>
  (text: string) =>
    Effect.fromResult(parse(text)).pipe(
      Effect.mapError(({ message }) => new CliError.ValidationError({ message: `${label}: ${message}` }))
    )

/** A socket cannot be an image. */
const parseFile = (text: string): Result.Result<MigrationUri.FileUri, { readonly message: string }> =>
  text === "-" ? Result.fail({ message: NO_STREAM }) : parseUri(text)

/** A pipe cannot be an image either, and a file of this name is hardly ever meant. */
const NO_STREAM =
  '"-" is a stream, and pages have their places in a file; name a file or a block device ("./-" is a file of that name)'

const parseUri = (text: string): Result.Result<MigrationUri.FileUri, { readonly message: string }> =>
  Result.filterOrFail(MigrationUri.parse(text), isFile, () => ({
    message: `${JSON.stringify(text)} is no file; use file:PATH or a path`
  }))

const isFile = (uri: MigrationUri.MigrationUri): uri is MigrationUri.FileUri => uri._tag === "File"

/**
 * An image: a path, or QEMU's `file:PATH,offset=N`.
 *
 * @internal
 */
export const image = (name: string, description: string) =>
  Argument.String(name).pipe(
    Argument.mapEffect(parsed(name, parseFile)),
    Argument.withMetavar("PATH"),
    Argument.withDescription(`${description}: a path, or file:PATH[,offset=N]`)
  )

/**
 * The locations of each block's pages.
 *
 * @internal
 */
export const blocks = (description: string) =>
  Flag.String("block").pipe(
    Flag.withMetavar("ID=PATH[,offset=N][,length=N]"),
    Flag.mapEffect(parsed("--block", BlockArgument.parse)),
    Flag.withDescription(description),
    Flag.atLeast(1)
  )

/**
 * Takes everything except the named blocks from an image.
 *
 * @internal
 */
export const deviceState = Flag.String("device-state").pipe(
  Flag.withMetavar("IMAGE"),
  Flag.mapEffect(parsed("--device-state", parseFile)),
  Flag.withDescription("Take configuration, device state and all other RAM blocks from IMAGE"),
  Flag.optional
)

const { minimum, maximum } = limits.channels

const channels = Flag.Int("channels").pipe(
  Flag.filter(
    (count) => count >= minimum && count <= maximum,
    () => `use ${minimum} to ${maximum}`
  ),
  Flag.withDescription(
    Environment.described(
      "MULTIFD_CHANNELS",
      `File descriptors used concurrently, ${minimum} to ${maximum} (default ${limits.channels.default})`
    )
  ),
  Environment.withDefault("MULTIFD_CHANNELS", Environment.count(minimum, maximum), limits.channels.default)
)

/**
 * Bypasses the page cache.
 *
 * @internal
 */
export const directIo = Flag.Boolean("direct-io").pipe(
  Flag.withoutNegation,
  Flag.withDescription("Bypass the page cache for the image's pages (O_DIRECT)"),
  Flag.withDefault(false)
)

const progressKinds = ["auto", "line", "json"] as const

const progress = Flag.Literals("progress", progressKinds).pipe(
  Flag.withDescription(
    Environment.described("MULTIFD_PROGRESS", "Progress on stderr: a line (auto: on a terminal only), or JSON lines")
  ),
  Environment.withDefault("MULTIFD_PROGRESS", Environment.oneOf(progressKinds), "auto")
)

const quiet = Flag.Boolean("quiet").pipe(
  Flag.withoutNegation,
  Flag.withAlias("q"),
  Flag.withDescription("No progress, errors only"),
  Flag.withDefault(false)
)

/**
 * The reporting options of a command that moves pages.
 *
 * @internal
 */
export const following = { progress, quiet }

/**
 * The options of every command that moves pages between files.
 *
 * @internal
 */
export const transfer = { channels, directIo, ...following }
