/**
 * The progress of a migration, as a value and as a stream.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as TransferCounters from "../transfer/TransferCounters.ts"
import { defaultPageSize, type Shape } from "../ram/RamBlock.ts"
import * as MigrationStatus from "./MigrationStatus.ts"
import * as Statistics from "./Statistics.ts"

/**
 * The phase of a migration.
 *
 * - `waiting`: not started;
 * - `setup`: opening and checking both ends, before any page moves;
 * - `ram`: moving pages over the channels;
 * - `device`: writing bitmaps, device state and description;
 * - `sync`: making the written data durable under its final name;
 * - `cancelling`: interrupted; closing and rolling back;
 * - `completed`, `failed` and `cancelled`: finished.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Phase =
  "waiting" | "setup" | "ram" | "device" | "sync" | "cancelling" | "completed" | "failed" | "cancelled"

/**
 * Milliseconds spent in each phase that takes time; see `Phase` for their limits.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface PhaseMillis {
  readonly setup: number
  readonly ram: number
  readonly device: number
  readonly sync: number
}

/**
 * The state of a migration at one moment.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Snapshot {
  readonly phase: Phase
  /** Bytes of RAM in the migration, including zero pages. */
  readonly bytesTotal: number
  /** Bytes of RAM handled so far, including zero pages. A page counts each time it is moved. */
  readonly bytesDone: number
  /** Bytes of RAM left in this round; the next dirty sync can find more. */
  readonly bytesRemaining: number
  /** The current round; the first one, which handles all of RAM, is 1. 0: not started. */
  readonly round: number
  /** Bytes of RAM in the current round, including `bytesRemaining`. */
  readonly roundBytesTotal: number
  /** Pages handled so far: `normalPages + zeroPages`. */
  readonly pages: number
  /** Pages moved as data. */
  readonly normalPages: number
  /** Pages found to be all zeros, which need no data. */
  readonly zeroPages: number
  /** Bytes written to or read from the file: normal pages, and the gaps between them that were too short for a seek. */
  readonly bytesTransferred: number
  /** Milliseconds spent in each phase so far, including the current one. */
  readonly phaseMillis: PhaseMillis
  /** `bytesDone` per second of the RAM phase so far. */
  readonly bytesPerSecond: number
  /** Estimated milliseconds until `bytesRemaining` is handled at this rate; `undefined` until there is a rate. */
  readonly etaMillis: number | undefined
}

/**
 * Follows one migration. Make one, pass it to `save`, `restore` or `convert`, and read `snapshot` or `changes` from any
 * fiber during the operation.
 *
 * **Example** (Watching a save)
 *
 * ```ts
 * import * as Console from "effect/Console"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 * import { Migration, Progress, type RamBlock } from "effect-multifd"
 *
 * export const saveWatched = Effect.fn(function*(blocks: ReadonlyArray<RamBlock.Readable>) {
 *   const migration = yield* Migration.Migration
 *   const progress = yield* Progress.make
 *   yield* Effect.forkChild(
 *     Stream.runForEach(progress.changes("100 millis"), (now) => Console.error(`${now.phase}: ${now.pages} pages`))
 *   )
 *   return yield* migration.save({ target: "vm.img", blocks, progress })
 * })
 * ```
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Progress {
  /** The current state of the migration. */
  readonly snapshot: Effect.Effect<Snapshot>
  /** A snapshot at once and after every `interval`; ends with the snapshot of the migration's end. */
  readonly changes: (interval: Duration.Input) => Stream.Stream<Snapshot>
  /** Counts pages as the channels move them. */
  readonly counters: TransferCounters.TransferCounters
  /** The progress in QEMU's terms: statuses and events. */
  readonly status: MigrationStatus.MigrationStatus
  /** The progress in the form of QEMU's `query-migrate`. */
  readonly statistics: Statistics.Recorder
  /** Announces the work, before `ram`; `live` if the guest runs. Called by the operations of `Migration`. */
  readonly begin: (
    blocks: ReadonlyArray<Shape>,
    options?: { readonly live?: boolean | undefined }
  ) => Effect.Effect<void>
  /**
   * Announces another round, with the number of bytes to handle again. Called by operations that do the dirty sync
   * themselves; if a sender is monitored, by the caller that queries the monitor.
   */
  readonly round: (bytes: number) => Effect.Effect<void>
  /** Announces the next phase. Called by the operations of `Migration`. */
  readonly enter: (phase: Phase) => Effect.Effect<void>
}

type Statuses = Readonly<Record<Phase, MigrationStatus.Status | undefined>>

const onSource: Statuses = {
  waiting: undefined,
  setup: "setup",
  ram: "active",
  device: "device",
  sync: undefined,
  cancelling: "cancelling",
  completed: "completed",
  failed: "failed",
  cancelled: "cancelled"
}

/** A QEMU destination has no status for waiting for the device state, or for having been cancelled. */
const onDestination: Statuses = { ...onSource, device: undefined, cancelling: undefined, cancelled: "failed" }

const isOver = (phase: Phase): boolean => phase === "completed" || phase === "failed" || phase === "cancelled"

const makeFor = Effect.fnUntraced(function* (
  role: MigrationStatus.Role,
  statuses: Statuses
): Effect.fn.Return<Progress> {
  const counters = TransferCounters.make()
  const status = yield* MigrationStatus.make(role)
  const rounds = { count: 0, bytes: 0, pageSize: defaultPageSize }
  const recorder = Statistics.make({ status, counters })
  const statistics: Statistics.Recorder = {
    ...recorder,
    dirtySync: (dirtyPages) =>
      Effect.suspend(() => {
        rounds.count++
        rounds.bytes = dirtyPages * rounds.pageSize
        return recorder.dirtySync(dirtyPages)
      })
  }
  const ended = yield* Deferred.make<void>()
  const spent = { setup: 0, ram: 0, device: 0, sync: 0 }
  let phase: Phase = "waiting"
  let since = 0
  let bytesTotal = 0

  const timesAt = (now: number): PhaseMillis => (phase in spent ? { ...spent, [phase]: now - since } : { ...spent })

  const at = (now: number, bytesRemaining: number): Snapshot => {
    const phaseMillis = timesAt(now)
    const bytesDone = counters.bytesHandled
    const bytesPerSecond = phaseMillis.ram > 0 ? (bytesDone * 1000) / phaseMillis.ram : 0
    return {
      phase,
      bytesTotal,
      bytesDone,
      bytesRemaining,
      round: rounds.count,
      roundBytesTotal: rounds.bytes,
      pages: counters.normalPages + counters.zeroPages,
      normalPages: counters.normalPages,
      zeroPages: counters.zeroPages,
      bytesTransferred: counters.bytes,
      phaseMillis,
      bytesPerSecond,
      etaMillis: bytesPerSecond > 0 ? (bytesRemaining * 1000) / bytesPerSecond : undefined
    }
  }
  const snapshot = Effect.gen(function* () {
    const { ram } = yield* statistics.snapshot
    return at(yield* Clock.currentTimeMillis, ram?.remaining ?? 0)
  })
  /** An operation that ends before its setup changes no status. */
  const enterStatus = Effect.fnUntraced(function* (next: Phase): Effect.fn.Return<void> {
    const to = statuses[next]
    const mayFollow = next === "setup" || MigrationStatus.isRunning(yield* status.current)
    if (to !== undefined && mayFollow) yield* Effect.orDie(status.enter(to))
  })

  return {
    counters,
    status,
    statistics,
    snapshot,
    changes: (interval) =>
      Stream.fromEffectSchedule(snapshot, Schedule.spaced(interval)).pipe(
        Stream.interruptWhen(Deferred.await(ended)),
        Stream.concat(Stream.fromEffect(snapshot))
      ),
    begin: Effect.fnUntraced(function* (blocks, { live } = {}) {
      const pageSize = blocks[0]?.pageSize ?? defaultPageSize
      rounds.pageSize = pageSize
      bytesTotal = blocks.reduce((sum, block) => sum + block.usedLength, 0)
      statistics.covers({ bytesTotal, pageSize, live })
      yield* statistics.dirtySync(bytesTotal / pageSize)
      yield* status.pass
    }),
    round: (bytes) =>
      Effect.suspend(() =>
        Effect.andThen(statistics.dirtySync(Math.ceil(bytes / rounds.pageSize)), Effect.asVoid(status.pass))
      ),
    enter: Effect.fnUntraced(function* (next) {
      const now = yield* Clock.currentTimeMillis
      Object.assign(spent, timesAt(now))
      phase = next
      since = now
      yield* enterStatus(next)
      if (isOver(next)) yield* Deferred.succeed(ended, undefined)
    })
  }
})

/**
 * Makes a `Progress` for a save, a conversion, or a send.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<Progress> = makeFor("source", onSource)

/**
 * Makes a `Progress` for a restore or a receive: `status` follows QEMU's destinations.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const makeDestination: Effect.Effect<Progress> = makeFor("destination", onDestination)
