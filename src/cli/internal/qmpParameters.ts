import * as Flag from "effect/cli/Flag"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Compression from "../../compression/Compression.ts"
import * as MigrationUri from "../../io/sockets/MigrationUri.ts"
import * as SocketAddress from "../../io/sockets/SocketAddress.ts"
import { limits } from "../../transfer/PipelineOptions.ts"
import * as Environment from "./environment.ts"
import * as SocketParameters from "./socketParameters.ts"
import { parsed } from "./parameters.ts"

type Problem = { readonly message: string }

const EXPECTED = "a socket's path, unix:PATH or tcp:HOST:PORT"

const refuse = (expected: string, text: string): Result.Result<never, Problem> =>
  Result.fail({ message: `${JSON.stringify(text)} is no monitor; use ${expected}` })

/** Options after the address in QEMU's `-qmp` that concern only QEMU's end. */
const serverOptions = /(?:,(?:server|wait|nowait|delay|nodelay|ipv[46]|to|tight|reconnect(?:-ms)?)(?:=[^,]*)?)+$/
const telnet = /^telnet:|^(?:unix|tcp):.*,(?:telnet|tn3270)(?:=on)?(?:,|$)/
const scheme = /^(?:unix|tcp):/

/** A monitor's socket is usually a Unix socket, and its path needs no scheme. */
const parseMonitor = (text: string): Result.Result<SocketAddress.SocketAddress, Problem> => {
  if (telnet.test(text))
    return refuse(`${EXPECTED} of a monitor without telnet (-qmp unix:PATH,server=on,wait=off)`, text)
  const uri = scheme.test(text) ? text.replace(serverOptions, "") : text
  return Result.flatMap(MigrationUri.parse(uri), (parsed) => {
    if (parsed._tag !== "File") return Result.succeed(parsed)
    return parsed.offset === undefined && !text.startsWith("file:") ? parsePath(parsed.path) : refuse(EXPECTED, text)
  })
}

const parsePath = (path: string): Result.Result<SocketAddress.SocketAddress, Problem> =>
  Result.flatMap(MigrationUri.parse(`unix:${path}`), (uri) =>
    uri._tag === "Unix" ? Result.succeed(uri) : refuse(EXPECTED, path)
  )

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
    () => `use 0 to ${maximum}`
  ),
  Flag.withDescription(
    Environment.described("MULTIFD_CHANNELS", `multifd channels, 0 to ${maximum}; 0: no multifd (default ${standard})`)
  ),
  Environment.withDefault("MULTIFD_CHANNELS", Environment.count(0, maximum), standard)
)

const compression = Flag.Literals("compression", Compression.methods).pipe(
  Flag.withDescription(
    Environment.described("MULTIFD_COMPRESSION", "Compression between QEMU and this program (default none)")
  ),
  Environment.withDefault("MULTIFD_COMPRESSION", Environment.oneOf(Compression.methods), "none")
)

/**
 * The meeting point of both sides. Any user who may enter the directory of a Unix socket may connect to it: QEMU may
 * run as another user.
 */
const listen = SocketParameters.address(
  "listen",
  "Socket between QEMU and this program, for a QEMU in a container or of another user"
).pipe(
  Flag.map((address) => (address._tag === "Unix" ? SocketAddress.unix(address.path, { everyUser: true }) : address)),
  Flag.optional
)

/**
 * The options of a migration to or from a QEMU on this machine.
 *
 * @internal
 */
export const transfer = { channels, compression, listen, timeout: SocketParameters.transfer.timeout }

/**
 * The time limits of the monitor's client and of waits for QEMU, from `--timeout`. 0: no limit, except for the
 * monitor's greeting.
 *
 * @internal
 */
export const timeouts = (seconds: Option.Option<number>) => {
  if (Option.isNone(seconds)) return { client: {}, timeout: undefined }
  const timeout = seconds.value === 0 ? Duration.infinity : Duration.seconds(seconds.value)
  const connectTimeout = seconds.value === 0 ? undefined : timeout
  return { client: { connectTimeout, commandTimeout: timeout }, timeout }
}
