import * as CliError from "effect/cli/CliError"
import * as Flag from "effect/cli/Flag"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Compression from "../../compression/Compression.ts"
import * as Uuid from "../../format/Uuid.ts"
import * as MigrationUri from "../../io/sockets/MigrationUri.ts"
import type { SocketAddress } from "../../io/sockets/SocketAddress.ts"
import { defaults } from "../../multifd/PeerLimits.ts"
import type * as PeerLimits from "../../multifd/PeerLimits.ts"
import { limits } from "../../transfer/PipelineOptions.ts"
import * as Environment from "./environment.ts"
import { parsed } from "./parameters.ts"

const BANDWIDTH = "bytes a second, such as 128M"

const invalid = (message: string) => Effect.fail(new CliError.ValidationError({ message }))

/**
 * An address to listen on or to connect to.
 *
 * @internal
 */
export const address = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("URI"),
    Flag.mapEffect((text) =>
      Effect.flatMap(
        parsed(`--${name}`, MigrationUri.parse)(text),
        (uri): Effect.Effect<SocketAddress, CliError.ValidationError> =>
          uri._tag === "File"
            ? invalid(`--${name} is ${JSON.stringify(text)}; use tcp:HOST:PORT or unix:PATH`)
            : Effect.succeed(uri)
      )
    ),
    Flag.withDescription(`${description}: tcp:HOST:PORT or unix:PATH`)
  )

/** QEMU's own default of `multifd-channels`: both sides must use the same number, and do not negotiate it. */
const DEFAULT_CHANNELS = 2

const channels = Flag.Int("channels").pipe(
  Flag.filter(
    (count) => count >= 0 && count <= limits.channels.maximum,
    () => `use 0 to ${limits.channels.maximum}`
  ),
  Flag.withDescription(
    Environment.described(
      "MULTIFD_CHANNELS",
      `multifd channels, the same number on both sides; 0: no multifd (default ${DEFAULT_CHANNELS}, as in QEMU)`
    )
  ),
  Environment.withDefault("MULTIFD_CHANNELS", Environment.count(0, limits.channels.maximum), DEFAULT_CHANNELS)
)

const compression = Flag.Literals("compression", Compression.methods).pipe(
  Flag.withDescription(
    Environment.described(
      "MULTIFD_COMPRESSION",
      "Compression on the channels; must be the same on both sides (default none)"
    )
  ),
  Environment.withDefault("MULTIFD_COMPRESSION", Environment.oneOf(Compression.methods), "none")
)

const uuid = Flag.String("uuid").pipe(
  Flag.withMetavar("UUID"),
  Flag.mapEffect((text): Effect.Effect<Uint8Array, CliError.ValidationError> => {
    const bytes = Uuid.parse(text)
    return bytes === undefined
      ? invalid(`--uuid is ${JSON.stringify(text)}; use the form 00112233-4455-6677-8899-aabbccddeeff`)
      : Effect.succeed(bytes)
  }),
  Flag.withDescription("The guest's uuid; QEMU compares it with its own"),
  Flag.optional
)

const timeout = Flag.Finite("timeout").pipe(
  Flag.withMetavar("SECONDS"),
  Flag.filter(
    (seconds) => seconds >= 0,
    () => "use 0 or more seconds"
  ),
  Flag.withDescription(
    Environment.described("MULTIFD_TIMEOUT", "Longest silence of the peer in seconds; 0: no limit (default 60)")
  ),
  Environment.optional(
    "MULTIFD_TIMEOUT",
    Environment.number((seconds) => seconds >= 0 && Number.isFinite(seconds), "0 or more seconds")
  )
)

/**
 * The limits of a migration whose peer may be silent for this many seconds. Connections must arrive in time even if
 * nothing is required of them afterwards.
 *
 * @internal
 */
export const limitsOf = (
  seconds: Option.Option<number>
): Pick<PeerLimits.Input, "handshakeTimeout" | "idleTimeout"> => {
  if (Option.isNone(seconds)) return {}
  if (seconds.value === 0) return { idleTimeout: Duration.infinity }
  const timeout = Duration.seconds(seconds.value)
  return { handshakeTimeout: timeout, idleTimeout: timeout }
}

const maxDuration = Flag.Finite("max-duration").pipe(
  Flag.withMetavar("SECONDS"),
  Flag.filter(
    (seconds) => seconds > 0,
    () => "use more than 0 seconds"
  ),
  Flag.withDescription("Longest time for the whole migration (default: no limit)"),
  Flag.optional
)

const minRate = Flag.String("min-rate").pipe(
  Flag.withMetavar("BYTES"),
  Flag.mapEffect((text): Effect.Effect<number, CliError.ValidationError> => {
    const bytes = MigrationUri.parseSize(text)
    return bytes === undefined
      ? invalid(`--min-rate is ${JSON.stringify(text)}; use bytes a second, such as 1M`)
      : Effect.succeed(bytes)
  }),
  Flag.withDescription(
    `Least bytes per second of the sender, averaged over ten times --timeout; 0: no limit (default ${defaults.minRate})`
  ),
  Flag.optional
)

/**
 * Limits on a sender's total time and rate.
 *
 * @internal
 */
export const patience = { maxDuration, minRate }

/** @internal */
export const patienceOf = ({
  maxDuration,
  minRate
}: {
  readonly maxDuration: Option.Option<number>
  readonly minRate: Option.Option<number>
}): Pick<PeerLimits.Input, "maxDuration" | "minRate"> => ({
  maxDuration: Option.getOrUndefined(Option.map(maxDuration, Duration.seconds)),
  minRate: Option.getOrUndefined(minRate)
})

/**
 * The options of both sides of a migration over sockets.
 *
 * @internal
 */
export const transfer = { channels, compression, uuid, timeout }

/**
 * The compression level.
 *
 * @internal
 */
export const level = Flag.Int("level").pipe(
  Flag.withDescription("The level of --compression: 0 to 9 for zlib, 0 to 20 for zstd, 1 to 9 for qatzip (default 1)"),
  Flag.optional
)

/**
 * The place where zero pages are detected.
 *
 * @internal
 */
export const zeroPageDetection = Flag.Literals("zero-page-detection", ["none", "legacy", "multifd"]).pipe(
  Flag.withDescription(
    "Zero pages: sent as data (none), on the main channel (legacy) or on the channels (multifd); default: as QEMU"
  ),
  Flag.optional
)

/**
 * The mark that tells the peer that all channels have synced.
 *
 * @internal
 */
export const marks = Flag.Literals("marks", ["each-section", "each-round"]).pipe(
  Flag.withDescription(
    "Points of synchronisation: each-section for machine types up to 8.0, each-round for later ones (default: automatic)"
  ),
  Flag.optional
)

/**
 * `yes` to tell the sender that it may switch over.
 *
 * @internal
 */
export const switchoverAck = Flag.Literals("switchover-ack", ["yes", "no"]).pipe(
  Flag.withDescription(
    "Acknowledge the switchover of a sender with switchover-ack on (default: machine types 8.1 to 11.0)"
  ),
  Flag.map((answer) => answer === "yes"),
  Flag.optional
)

/**
 * The largest bandwidth.
 *
 * @internal
 */
export const maxBandwidth = Flag.String("max-bandwidth").pipe(
  Flag.withMetavar("BYTES"),
  Flag.mapEffect((text): Effect.Effect<number, CliError.ValidationError> => {
    const bytes = MigrationUri.parseSize(text)
    return bytes === undefined
      ? invalid(`--max-bandwidth is ${JSON.stringify(text)}; use ${BANDWIDTH}`)
      : Effect.succeed(bytes)
  }),
  Flag.withDescription(
    Environment.described(
      "MULTIFD_MAX_BANDWIDTH",
      "Bytes per second over all channels, such as 128M (default 0: no limit)"
    )
  ),
  Environment.withDefault(
    "MULTIFD_MAX_BANDWIDTH",
    (text) => Result.fromNullishOr(MigrationUri.parseSize(text), () => BANDWIDTH),
    0
  )
)
