import * as Flag from "effect/cli/Flag"
import * as Result from "effect/Result"
import * as Compression from "../../compression/Compression.ts"
import * as MigrationUri from "../../io/MigrationUri.ts"
import * as SocketAddress from "../../io/SocketAddress.ts"
import { limits } from "../../multifd/PipelineOptions.ts"
import { parsed } from "./parameters.ts"

/** A monitor's socket is mostly a Unix one, and its path needs no scheme. */
const parseMonitor = (text: string): Result.Result<SocketAddress.SocketAddress, { readonly message: string }> =>
  Result.flatMap(MigrationUri.parse(text), (uri) => {
    if (uri._tag !== "File") return Result.succeed(uri)
    return uri.offset === undefined && !text.startsWith("file:")
      ? Result.succeed(SocketAddress.unix(uri.path))
      : Result.fail({ message: `expected a socket's path, unix:PATH or tcp:HOST:PORT, found ${JSON.stringify(text)}` })
  })

/**
 * The monitor of a QEMU.
 *
 * @internal
 */
export const qmp = Flag.String("qmp").pipe(
  Flag.withMetavar("SOCKET"),
  Flag.mapEffect(parsed("--qmp", parseMonitor)),
  Flag.withDescription("QEMU's monitor (-qmp unix:PATH,server=on,wait=off): a path, unix:PATH or tcp:HOST:PORT")
)

const { default: standard, maximum } = limits.channels

const channels = Flag.Int("channels").pipe(
  Flag.filter(
    (count) => count >= 0 && count <= maximum,
    (count) => `expected 0 to ${maximum} channels, found ${count}`
  ),
  Flag.withDescription(`multifd channels, 0 to ${maximum}; 0: no multifd (default ${standard})`),
  Flag.withDefault(standard)
)

const compression = Flag.Literals("compression", Compression.methods).pipe(
  Flag.withDescription("How pages are compressed between QEMU and this program (default none)"),
  Flag.withDefault("none" as const)
)

/**
 * What a migration to or from a QEMU of this machine can be told.
 *
 * @internal
 */
export const transfer = { channels, compression }
