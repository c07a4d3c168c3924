/**
 * Limits on a peer's demands and its time.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../ram/TaggedError.ts"
import * as Options from "../ram/Options.ts"
import * as Problem from "../ram/Problem.ts"

/**
 * Validated limits. Together they bound the memory and the time that any peer, however hostile, can take.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  /**
   * For each connection, from its acceptance to its identification, including TLS; and, from the first connection, for
   * all of them to arrive. Default 30 seconds: a sender makes all connections before it sends anything.
   */
  readonly handshakeTimeout: Duration.Duration
  /**
   * Longest time without a page or a piece of device state on any connection, while we wait for the peer; time spent
   * waiting for the disk does not count. Default 60 seconds. `Duration.infinity` for a source that is stopped by hand
   * before it switches over.
   */
  readonly idleTimeout: Duration.Duration
  /**
   * Lowest rate that a receiver accepts, in bytes per second over all connections, on average over ten times
   * `idleTimeout`. Time in which the receiver waits for its disk, or enforces a limit of its own, does not count.
   * Default 1024: a peer that sends an occasional page keeps a receiver no longer than that, and no guest, network or
   * limit of a sender is so slow. 0, or no `idleTimeout`: any rate.
   */
  readonly minRate: number
  /**
   * From the arrival of all connections until everything has been received. Default `Duration.infinity`: a guest that
   * is moved live may take any number of rounds.
   */
  readonly maxDuration: Duration.Duration
  /**
   * Bytes in the payload of one packet. Default 1 MiB, for which QEMU has room; 512 KiB of incompressible pages are
   * hardly larger in any method.
   */
  readonly maxPayload: number
  /** RAM blocks. Default 4096: a machine has one for each bank of RAM, firmware image and device with memory. */
  readonly maxBlocks: number
  /**
   * Bytes of RAM in all blocks. Default 1 TiB. One bit is kept per page, which makes 32 MiB at the default; a peer can
   * make a receiver allocate that by announcing it.
   */
  readonly maxRam: number
  /** Bytes of device state and description after RAM. Default 1 GiB, the most that is searched in an image. */
  readonly maxDeviceState: number
  /**
   * Bytes that must be held in memory: the data before RAM's END that is not RAM, and the device state if there is no
   * image to write it to. Default 64 MiB.
   */
  readonly maxHeld: number
}

/**
 * The same limits as a user gives them: all are optional.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Input = {
  readonly [Name in keyof Limits]?: (Limits[Name] extends number ? number : Duration.Input) | undefined
}

const MiB = 1024 * 1024

/**
 * The default limits.
 *
 * @stability stable
 * @category constants
 * @since 0.1.0
 */
export const defaults: Limits = {
  handshakeTimeout: Duration.seconds(30),
  idleTimeout: Duration.seconds(60),
  minRate: 1024,
  maxDuration: Duration.infinity,
  maxPayload: MiB,
  maxBlocks: 4096,
  maxRam: 1024 * 1024 * MiB,
  maxDeviceState: 1024 * MiB,
  maxHeld: 64 * MiB
}

/**
 * Invalid limits; all of them are listed.
 *
 * **Details**
 *
 * Detected before anything was opened. Exit code 2.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class LimitsError extends TaggedError<LimitsError>()("LimitsError", {
  problems: Schema.NonEmptyArray(Problem.Problem)
}) {
  override readonly [Runtime.errorExitCode] = 2
  override get message(): string {
    return Problem.refusal("start", this.problems)
  }
}

const time = (name: "handshakeTimeout" | "idleTimeout" | "maxDuration") =>
  Options.time.pipe(Options.withDefault(defaults[name]))

const size = (name: "maxPayload" | "maxBlocks" | "maxRam" | "maxDeviceState" | "maxHeld") =>
  Options.positive.pipe(Options.withDefault(defaults[name]))

const decode = Options.decode(
  Schema.Struct({
    handshakeTimeout: time("handshakeTimeout"),
    idleTimeout: time("idleTimeout"),
    minRate: Options.rate.pipe(Options.withDefault(defaults.minRate)),
    maxDuration: time("maxDuration"),
    maxPayload: size("maxPayload"),
    maxBlocks: size("maxBlocks"),
    maxRam: size("maxRam"),
    maxDeviceState: size("maxDeviceState"),
    maxHeld: size("maxHeld")
  })
)

/**
 * Fills in defaults and validates. Fails with `LimitsError` and has no other effect.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const make = (input: Input): Effect.Effect<Limits, LimitsError> =>
  Effect.fromResult(Result.mapError(decode(input), (problems) => new LimitsError({ problems })))
