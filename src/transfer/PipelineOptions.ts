/**
 * The settings of a pipeline, their defaults and their limits.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Options from "../ram/Options.ts"
import * as Problem from "../ram/Problem.ts"

/**
 * Settings that have been checked.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface PipelineOptions {
  /** Number of channels, 1 to 255 as in QEMU's `multifd-channels`. Default 3. */
  readonly channels: number
  /** Batches that wait between the source and the channels, 1 to 4096; they hold no page data. Default 8. */
  readonly queueDepth: number
  /** Bytes in a batch, 1 KiB (the smallest page) to 16 MiB, rounded down to whole pages. Default 1 MiB. */
  readonly batchSize: number
  /**
   * Zero pages between two runs that are worth moving along with them for the sake of one larger call, 0 to 4096. Costs
   * space on the disk, never correctness: the bits of these pages stay clear. Default 4.
   */
  readonly coalescePages: number
}

/**
 * The same settings as a user gives them: all of them may be left out.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Input = { readonly [Name in keyof PipelineOptions]?: PipelineOptions[Name] | undefined }

interface Limits {
  readonly default: number
  readonly minimum: number
  readonly maximum: number
}

/**
 * Default, smallest and largest value of each setting.
 *
 * **Details**
 *
 * More channels or a deeper queue than the defaults were not faster on any disk that was measured. Node makes its calls on
 * files with four threads, unless `UV_THREADPOOL_SIZE` says otherwise: three channels leave one for syncing, and for what
 * else the process does with files. Two buffered writes to one file are with the kernel at a time, whatever the channels. Below 512 KiB in a batch the cost of a queue element shows, and a batch above 16 MiB
 * would hold the event loop for milliseconds, since its zero pages are looked for without a pause.
 *
 * @stability stable
 * @category constants
 * @since 0.1.0
 */
export const limits: { readonly [Name in keyof PipelineOptions]: Limits } = {
  channels: { default: 3, minimum: 1, maximum: 255 },
  queueDepth: { default: 8, minimum: 1, maximum: 4096 },
  batchSize: { default: 1024 * 1024, minimum: 1024, maximum: 16 * 1024 * 1024 },
  coalescePages: { default: 4, minimum: 0, maximum: 4096 }
}

/**
 * Settings are outside their limits; all that are wrong are listed.
 *
 * **Details**
 *
 * Found before anything was opened. Exit code 2.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class PipelineOptionsError extends Schema.TaggedError<PipelineOptionsError>()("PipelineOptionsError", {
  problems: Schema.NonEmptyArray(Problem.Problem)
}) {
  override readonly [Runtime.errorExitCode] = 2
  override get message(): string {
    return Problem.refusal("start", this.problems)
  }
}

const setting = ({ default: initial, maximum, minimum }: Limits) =>
  Options.wholeNumber({ minimum, maximum }).pipe(Options.withDefault(initial))

const decode = Options.decode(
  Schema.Struct({
    channels: setting(limits.channels),
    queueDepth: setting(limits.queueDepth),
    batchSize: setting(limits.batchSize),
    coalescePages: setting(limits.coalescePages)
  })
)

/**
 * Fills in what was left out and checks the rest. Fails with `PipelineOptionsError`; nothing has happened then.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const make = (input: Input): Effect.Effect<PipelineOptions, PipelineOptionsError> =>
  Effect.fromResult(Result.mapError(decode(input), (problems) => new PipelineOptionsError({ problems })))
