/**
 * Worker threads that move bytes.
 *
 * ```text
 *   fiber of a channel ── job: 8 MiB of pages ──▶ lane: read, look, digest, write, 256 KiB at a time
 *   (control plane)    ◀── runs, digests, bytes ──  (data plane)
 * ```
 *
 * A call on a file from a thread itself takes 0.3 µs in addition to its bytes; one through Node's thread pool takes 14
 * to 30 µs of two threads. Fibers decide what is moved, and when; a lane moves it.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Os from "node:os"
import { Pool } from "./internal/pool.ts"
import * as WorkerFile from "./internal/workerFile.ts"
import type * as LaneJob from "./LaneJob.ts"

/**
 * Threads that run jobs.
 *
 * **Details**
 *
 * The opener of a job's descriptors closes them, and only after the answer. The answer always comes: a thread that ends
 * answers with `LaneDied`, and a new one replaces it for the next job.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Lanes {
  /** Starts the threads on first use. `false`: there are none, and the bytes must be moved without them. */
  readonly start: Effect.Effect<boolean>
  /**
   * Runs a job on the first free lane. Interruption cancels the job and waits for its answer, which comes when the
   * current piece of 256 KiB has been moved; `late` gets that answer.
   */
  readonly copy: (
    job: LaneJob.CopyJob,
    late?: (answer: LaneJob.Answer) => Effect.Effect<void>
  ) => Effect.Effect<LaneJob.Answer>
}

/**
 * Options of lanes.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Threads, at least 1. Default: the number of processors. */
  readonly threads?: number | undefined
  /**
   * The program of the threads: `lanes/internal/laneWorker.js` of this package, for a program that was bundled without
   * it. Default: the file of that name next to the module that starts it.
   */
  readonly file?: URL | undefined
}

/**
 * The implementation of the jobs, by callbacks.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Threads {
  /** See `Lanes`. */
  readonly start: Effect.Effect<boolean>
  /** Starts a job, calls `done` once, later, and returns the function that cancels it. */
  readonly run: (job: LaneJob.CopyJob, done: (answer: LaneJob.Answer) => void) => () => void
}

/**
 * Lanes on threads other than Node's workers, such as those of a test.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const fromThreads = ({ run, start }: Threads): Lanes => ({
  start,
  copy: (job, late = () => Effect.void) =>
    Effect.callback<LaneJob.Answer>((resume) => {
      let answer: LaneJob.Answer | undefined
      let wake: (() => void) | undefined
      const cancel = run(job, (found) => {
        answer = found
        if (wake === undefined) resume(Effect.succeed(found))
        else wake()
      })
      const answered = Effect.callback<void>((resume) => {
        if (answer !== undefined) return resume(Effect.void)
        wake = () => resume(Effect.void)
        cancel()
      })
      const tellLate = Effect.suspend(() => (answer === undefined ? Effect.void : late(answer)))
      return Effect.uninterruptible(Effect.andThen(answered, tellLate))
    })
})

const fromPool = (pool: Pool | undefined): Lanes => {
  let isLogged = false
  const log = (reason: string) =>
    Effect.suspend(() => {
      if (isLogged) return Effect.void
      isLogged = true
      return Effect.logDebug(`no worker threads: bytes are moved without them (${reason})`)
    })
  const start = Effect.suspend(() =>
    pool === undefined ? Effect.succeed("their program is missing") : Effect.promise(() => pool.start())
  )
  return fromThreads({
    start: Effect.flatMap(start, (reason) =>
      reason === undefined ? Effect.succeed(true) : Effect.as(log(reason), false)
    ),
    run: (job, done) => {
      if (pool !== undefined) return pool.run(job, done)
      queueMicrotask(() => done({ _tag: "LaneDied", reason: "there are no threads" }))
      return () => undefined
    }
  })
}

const open = ({ file, threads = Os.availableParallelism() }: Options): Pool | undefined => {
  const program = WorkerFile.find(file)
  return program === undefined ? undefined : new Pool(program, threads)
}

/**
 * Makes new threads, which end with the scope.
 *
 * @stability unstable
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<Lanes, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => open(options)),
      (pool) => (pool === undefined ? Effect.void : Effect.promise(() => pool.close()))
    ),
    fromPool
  )

/**
 * The lanes that move pages between files, and between files and shared memory. `undefined`: there are none, and
 * channels move the bytes themselves. Default: those of the process, which are started on first use, keep the process
 * alive only while they have work, and end with it.
 *
 * **Details**
 *
 * A disk in memory or a layer of faults under `FileCalls` has no descriptors for another thread: lanes are not used
 * unless `FileCalls` are Node's own reads and writes.
 *
 * @stability unstable
 * @category services
 * @since 0.1.0
 */
export const Lanes: Context.Reference<Lanes | undefined> = Context.Reference<Lanes | undefined>(
  "effect-multifd/lanes/Lanes",
  { defaultValue: () => fromPool(open({})) }
)

/**
 * Provides new threads, which end with the layer.
 *
 * @stability unstable
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<never> => Layer.effect(Lanes, make(options))

/**
 * The same, with options from Effect's `Config`.
 *
 * @stability unstable
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (options: Config.Wrap<Options>): Layer.Layer<never, Config.ConfigError> =>
  Layer.effect(Lanes, Effect.flatMap(Config.unwrap(options), make))

/**
 * No lanes: every byte is moved through `FileCalls`.
 *
 * @stability unstable
 * @category layers
 * @since 0.1.0
 */
export const none: Layer.Layer<never> = Layer.succeed(Lanes, undefined)
