/**
 * What a peer may ask for, and how long it may take.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Options from "../ram/Options.ts"
import * as Problem from "../ram/Problem.ts"

/**
 * Limits that have been checked. Together they bound the memory and the time that any peer, however hostile, can take.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  /**
   * For each connection, from being accepted to having said what it is, TLS included; and, from the first connection on,
   * for all of them to be there. Default 30 seconds: a sender connects all of them before it sends anything.
   */
  readonly handshakeTimeout: Duration.Duration
  /**
   * The longest time without a page, or a piece of device state, on any connection while the peer is waited for; time in
   * which the disk is waited for does not count. Default 60 seconds. `Duration.infinity` for a source that is stopped by
   * hand before it switches over.
   */
  readonly idleTimeout: Duration.Duration
  /**
   * Bytes a second that a receiver expects at least, over all connections and on average over ten times `idleTimeout`; time in which
   * it waits for its disk, or keeps a limit of its own, does not count. Default 1024: a peer that sends a page now and then keeps
   * a receiver no longer than that, and no guest, network or limit of a sender is so slow. 0, or no `idleTimeout`: any rate.
   */
  readonly minRate: number
  /**
   * From the moment that all connections are there until everything has arrived. Default `Duration.infinity`: a guest that is
   * moved live may take as many rounds as it likes.
   */
  readonly maxDuration: Duration.Duration
  /**
   * Bytes of the payload of one packet. Default 1 MiB, which is what QEMU has room for; a packet of 512 KiB of pages that
   * do not shrink is little larger than that of any method.
   */
  readonly maxPayload: number
  /** RAM blocks. Default 4096: a machine has one for each bank of RAM, firmware image and device with memory. */
  readonly maxBlocks: number
  /**
   * Bytes of RAM in all blocks. Default 1 TiB. One bit is kept for each page, which makes 32 MiB of that; a peer can make
   * a receiver take so much memory by announcing it.
   */
  readonly maxRam: number
  /** Bytes of the device state and its description behind RAM. Default 1 GiB, the most that is looked through in an image. */
  readonly maxDeviceState: number
  /**
   * Bytes of what has to be held in memory: what stands in front of RAM's END and is not RAM, and the device state where
   * there is no image to write it to. Default 64 MiB.
   */
  readonly maxHeld: number
}

/**
 * The same limits as a user gives them: all of them may be left out.
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
 * What holds where nothing else is asked for.
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
 * Limits that are none; all that are wrong are listed.
 *
 * **Details**
 *
 * Found before anything was opened. Exit code 2.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class LimitsError extends Schema.TaggedError<LimitsError>()("LimitsError", {
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
 * Fills in what was left out and checks the rest. Fails with `LimitsError`; nothing has happened then.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const make = (input: Input): Effect.Effect<Limits, LimitsError> =>
  Effect.fromResult(Result.mapError(decode(input), (problems) => new LimitsError({ problems })))
