import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Invariant from "../../ram/Invariant.ts"
import * as Job from "../../transfer/Job.ts"
import * as MonotonicTime from "../../transfer/MonotonicTime.ts"
import type { TransferCounters } from "../../transfer/TransferCounters.ts"
import * as DirtyTracker from "../../ram/DirtyTracker.ts"
import type { PageBatch } from "../../ram/PageBatch.ts"
import type * as RamBlock from "../../ram/RamBlock.ts"
import * as RamScanner from "../../ram/RamScanner.ts"
import type * as Live from "../../snapshot/Live.ts"
import type { MigrationStatus, Status } from "../MigrationStatus.ts"
import type * as Statistics from "../Statistics.ts"
import * as Convergence from "./convergence.ts"

/**
 * The memory to move, and the options.
 *
 * @internal
 */
export interface Options<out E> {
  readonly blocks: ReadonlyArray<RamBlock.Readable<E>>
  readonly live: Live.Options<E>
  readonly batchSize: number
  readonly coalescePages: number
  /** The counters of the channels. */
  readonly counters: Readonly<TransferCounters>
  readonly status: Pick<MigrationStatus, "enter" | "pass">
  readonly statistics: Pick<
    Statistics.Recorder,
    "dirtySync" | "expectDowntime" | "guestResumed" | "guestStopped" | "throttle"
  >
}

/**
 * The rounds of one migration.
 *
 * @internal
 */
export interface Rounds<out E> {
  /** Run it once, by a pipeline inside the scope. */
  readonly jobs: Stream.Stream<Job.Job<E>, E>
  /** The state after RAM, if requested; available when the jobs have ended. */
  readonly machineState: () => Live.RunningState<E> | undefined
}

/** The guest, and its current throttling and pause. */
interface Writer<out E> {
  readonly stop: Effect.Effect<void, E>
  readonly resume: Effect.Effect<void>
  readonly throttle: (percentage: number) => Effect.Effect<void>
}

/** If the scope ends in a failure, the throttle is removed and the guest resumes if it was ever stopped. */
const makeWriter = Effect.fnUntraced(function* <E>(
  { pause, resume = Effect.void, throttle }: Live.Options<E>,
  statistics: Options<E>["statistics"]
): Effect.fn.Return<Writer<E>, never, Scope.Scope> {
  let percentage = 0
  let isStopped = false

  const setThrottle = (to: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (throttle === undefined || percentage === to) return Effect.void
      // Before it has completed, it may or may not have taken effect: the rollback assumes the worse.
      percentage = Math.max(percentage, to)
      const done = Effect.sync(() => {
        percentage = to
        statistics.throttle(to)
      })
      return Effect.andThen(throttle.set(to), done)
    })
  const resumeGuest = Effect.suspend(() => {
    if (!isStopped) return Effect.void
    isStopped = false
    return Effect.andThen(resume, statistics.guestResumed)
  })
  yield* Effect.addFinalizer((exit) =>
    Exit.isSuccess(exit) ? Effect.void : Effect.andThen(setThrottle(0), resumeGuest)
  )
  return {
    stop: Effect.suspend(() => {
      isStopped = true
      return statistics.guestStopped
    }).pipe(Effect.andThen(pause), Effect.andThen(setThrottle(0))),
    resume: Effect.uninterruptible(resumeGuest),
    throttle: setThrottle
  }
})

/** The number of the next round, from 1, and that of the last one, once it is known. */
interface Place {
  readonly last: number
  readonly round: number
}

const first: Place = { last: Infinity, round: 1 }

type Jobs<E> = Stream.Stream<Job.Job<E>>
type Step<E> = readonly [Jobs<E>, Place] | undefined

/**
 * Makes the rounds of a live migration.
 *
 * ```text
 *           ┌───────────────────────────────────────────┐
 *           ▼                                           │ no
 *   round 1: all pages ──▶ sync ──▶ look ──▶ converged, or round = maxRounds?
 *   round n: dirty pages    ▲                           │ yes
 *                           │                           ▼
 *                           │                  pause, beforeSwitchover, look, machineState ──▶ dirty pages ──▶ sync ──▶ end
 *                           └ the pipeline pulls on when every channel has passed it
 * ```
 *
 * **Failure effect**: if the scope ends in a failure, throttling ends and the guest resumes.
 *
 * @internal
 */
export const make = Effect.fnUntraced(function* <E>(
  options: Options<E>
): Effect.fn.Return<Rounds<E>, RamBlock.RamBlockError, Scope.Scope> {
  const { batchSize, blocks, coalescePages, counters, live, statistics, status } = options
  const { pageSize } = Invariant.defined(blocks[0], "a request without blocks was refused")
  const enter = (to: Status) => Effect.orDie(status.enter(to))
  const settings = Convergence.settings(live)
  const estimate = Convergence.make(settings)
  const tracking = yield* live.tracker.start(blocks)
  const writer = yield* makeWriter(live, statistics)
  const dirty = DirtyTracker.none(blocks)
  let machineState: Live.RunningState<E> | undefined
  let began = 0
  let normalBefore = 0

  const begin = (batches: Stream.Stream<PageBatch<E>>): Effect.Effect<Jobs<E>> =>
    Effect.map(MonotonicTime.millis, (now) => {
      began = now
      normalBefore = counters.normalPages
      return Job.round(batches)
    })
  const fullScan = begin(RamScanner.scan(tracking.blocks, { batchSize }))
  const dirtyScan = Effect.suspend(() =>
    begin(RamScanner.scanDirty(tracking.blocks, dirty, { batchSize, coalescePages }))
  )

  const collectDirty = Effect.gen(function* () {
    const ended = yield* MonotonicTime.millis
    const movedPages = counters.normalPages - normalBefore
    yield* tracking.collect(dirty)
    const now = yield* MonotonicTime.millis
    const dirtyPages = countOf(dirty)
    yield* statistics.dirtySync(dirtyPages)
    yield* status.pass
    return {
      millis: ended - began,
      movedBytes: movedPages * pageSize,
      dirtyBytes: dirtyPages * pageSize,
      lookMillis: now - ended
    }
  })
  const stop = Effect.gen(function* () {
    yield* writer.stop
    if (live.beforeSwitchover !== undefined) {
      yield* enter("pre-switchover")
      yield* live.beforeSwitchover
    }
    yield* enter("device")
    yield* collectDirty
    if (live.machineState !== undefined) machineState = yield* live.machineState
  })
  const end = live.leave === "running" ? writer.resume : Effect.void

  /** The data before a round, and the jobs that move its pages. */
  const next = Effect.fnUntraced(function* ({ last, round }: Place): Effect.fn.Return<Step<E>, E> {
    if (round > last) return yield* Effect.as(end, undefined)
    if (round === 1) return [yield* fullScan, { last, round: 2 }]
    const { converged, expectedDowntimeMillis, throttlePercentage } = estimate(yield* collectDirty)
    if (expectedDowntimeMillis !== undefined) statistics.expectDowntime(expectedDowntimeMillis)
    const isLast = converged || round > settings.maxRounds
    yield* isLast ? stop : writer.throttle(throttlePercentage)
    return [yield* dirtyScan, { last: isLast ? round : last, round: round + 1 }]
  })

  return {
    jobs: Stream.flatMap(Stream.unfold(first, next), identity),
    machineState: () => machineState
  }
})

const countOf = (dirty: DirtyTracker.DirtyPages): number =>
  [...dirty.values()].reduce((sum, bitmap) => sum + bitmap.count(), 0)
