/**
 * Worker threads that move bytes.
 *
 * ```text
 *   fiber of a channel ── job: 8 MiB of pages ──▶ lane: read, look, digest, write, 256 KiB at a time
 *   (control plane)    ◀── runs, digests, bytes ──  (data plane)
 * ```
 *
 * A call on a file that a thread makes itself takes 0.3 µs beside its bytes; one that goes through Node's thread pool takes 14
 * to 30 µs of two threads. Fibers decide what is moved, and when; a lane moves it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Os from "node:os"
import { Pool } from "./internal/pool.ts"
import * as WorkerFile from "./internal/workerFile.ts"
import type * as LaneJob from "./LaneJob.ts"

/**
 * Threads to which jobs are given.
 *
 * **Details**
 *
 * Whoever opened the descriptors of a job closes them, and only after the answer. The answer always comes: a thread that ends
 * answers with `LaneDied`, and a new one takes its place for the next job.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Lanes {
  /** Starts the threads the first time. `false`: there are none, and the bytes have to go the plain way. */
  readonly start: Effect.Effect<boolean>
  /**
   * Does a job on the lane that is free first. Interruption cancels the job and waits for its answer, which is there when
   * the piece of 256 KiB under way is moved; `late` is given that answer.
   */
  readonly copy: (
    job: LaneJob.CopyJob,
    late?: (answer: LaneJob.Answer) => Effect.Effect<void>
  ) => Effect.Effect<LaneJob.Answer>
}

/**
 * How lanes are made.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Threads, at least 1. Default: as many as there are processors. */
  readonly threads?: number | undefined
  /**
   * The program of the threads: `lanes/internal/laneWorker.js` of this package, for a program that was bundled without it.
   * Default: the file of that name beside the module that starts it.
   */
  readonly file?: URL | undefined
}

/**
 * What does the jobs, by callbacks.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Threads {
  /** See `Lanes`. */
  readonly start: Effect.Effect<boolean>
  /** Begins a job, calls `done` once, later, and succeeds with what cancels it. */
  readonly run: (job: LaneJob.CopyJob, done: (answer: LaneJob.Answer) => void) => () => void
}

/**
 * Lanes on other threads than Node's workers, such as those of a test.
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
 * Threads of their own, which are gone with the scope.
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
 * The lanes that move pages between files, and between files and shared memory. `undefined`: there are none, and channels move
 * the bytes themselves. Default: those of the process, which are started when they are needed for the first time, keep the
 * process alive only while they have work, and end with it.
 *
 * **Details**
 *
 * A disk in memory or a layer of faults under `FileCalls` has no descriptors that another thread could use: lanes are left out
 * wherever `FileCalls` are not Node's own reads and writes.
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
 * Provides threads of their own, which are gone with the layer.
 *
 * @stability unstable
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<never> => Layer.effect(Lanes, make(options))

/**
 * No lanes: every byte is moved through `FileCalls`.
 *
 * @stability unstable
 * @category layers
 * @since 0.1.0
 */
export const none: Layer.Layer<never> = Layer.succeed(Lanes, undefined)
