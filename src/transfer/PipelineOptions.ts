/**
 * The settings of a pipeline, their defaults and their limits.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { TaggedError } from "../ram/TaggedError.ts"
import * as Options from "../ram/Options.ts"
import * as Problem from "../ram/Problem.ts"

/**
 * Validated settings.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface PipelineOptions {
  /** Number of channels, 1 to 255 as in QEMU's `multifd-channels`. Default 3. */
  readonly channels: number
  /** Batches queued between the source and the channels, 1 to 4096; they hold no page data. Default 8. */
  readonly queueDepth: number
  /**
   * Bytes in a batch, 1 KiB (the smallest page) to 16 MiB, rounded down to whole pages. Default 1 MiB; 8 MiB where
   * worker threads move the batches (`Lanes`), which takes 32 MiB of RAM in files or shared memory, and batches of 2
   * MiB or more.
   */
  readonly batchSize: number
  /**
   * Largest gap of zero pages between two runs that is moved along with them to make one larger call, 0 to 4096. It
   * takes disk space and never affects correctness: the bits of these pages stay clear. Default 4.
   */
  readonly coalescePages: number
}

/**
 * The same settings as a user gives them: all are optional.
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
 * More channels or a deeper queue than the defaults were not faster on any disk that was measured. Node makes file
 * calls with four threads, unless `UV_THREADPOOL_SIZE` says otherwise: three channels leave one for syncing and for the
 * process's other file I/O. At most two buffered writes to one file are with the kernel at a time, for any number of
 * channels. Below 512 KiB per batch the overhead of a queue element is visible. A batch above 16 MiB would block the
 * event loop for milliseconds, because its zero pages are searched for without a pause. Lanes take batches of 8 MiB: a
 * message to a thread takes as long as moving 100 KiB.
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
 * Settings outside their limits; all invalid ones are listed.
 *
 * **Details**
 *
 * Detected before anything was opened. Exit code 2.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class PipelineOptionsError extends TaggedError<PipelineOptionsError>()("PipelineOptionsError", {
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
 * Fills in defaults and validates. Fails with `PipelineOptionsError` and has no other effect.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const make = (input: Input): Effect.Effect<PipelineOptions, PipelineOptionsError> =>
  Effect.fromResult(Result.mapError(decode(input), (problems) => new PipelineOptionsError({ problems })))
