/**
 * How far a migration has come, as a value and as a stream.
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
 * What a migration is doing.
 *
 * - `waiting`: nothing has begun;
 * - `setup`: opening and checking both ends, before any page moves;
 * - `ram`: pages move over the channels;
 * - `device`: bitmaps, device state and description are written;
 * - `sync`: what was written is made durable and given its final name;
 * - `cancelling`: it was interrupted; everything is being closed and put back;
 * - `completed`, `failed` and `cancelled`: over.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Phase =
  "waiting" | "setup" | "ram" | "device" | "sync" | "cancelling" | "completed" | "failed" | "cancelled"

/**
 * Milliseconds spent in each phase that takes time; see `Phase` for what each begins and ends with.
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
 * A migration at one moment.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Snapshot {
  readonly phase: Phase
  /** Bytes of RAM that the migration covers, zero pages included. */
  readonly bytesTotal: number
  /** Bytes of RAM handled so far, zero pages included. Pages that are moved again count again. */
  readonly bytesDone: number
  /** Bytes of RAM that are still to be handled in this round: a look at what is dirty can find more. */
  readonly bytesRemaining: number
  /** The round that is under way; the first one, in which all of RAM is handled, is 1. 0: none was begun. */
  readonly round: number
  /** Bytes of RAM that were to be handled when the round began, `bytesRemaining` included. */
  readonly roundBytesTotal: number
  /** Pages handled so far: `normalPages + zeroPages`. */
  readonly pages: number
  /** Pages moved as data. */
  readonly normalPages: number
  /** Pages found to be all zeros, which need no data. */
  readonly zeroPages: number
  /** Bytes that went to or came from the file: normal pages, and the gaps between them that were not worth a seek. */
  readonly bytesTransferred: number
  /** Milliseconds spent in each phase so far, the present one included. */
  readonly phaseMillis: PhaseMillis
  /** `bytesDone` per second of the RAM phase so far. */
  readonly bytesPerSecond: number
  /** Milliseconds until `bytesRemaining` is handled at this rate; `undefined` until there is a rate. */
  readonly etaMillis: number | undefined
}

/**
 * Follows one migration. Make one, hand it to `save`, `restore` or `convert`, and read `snapshot` or `changes` from any
 * fiber while the operation runs.
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
  /** The migration at this moment. */
  readonly snapshot: Effect.Effect<Snapshot>
  /** A snapshot at once and after every `interval`; ends with the snapshot of the migration's end. */
  readonly changes: (interval: Duration.Input) => Stream.Stream<Snapshot>
  /** Counts pages as the channels move them. */
  readonly counters: TransferCounters.TransferCounters
  /** The same in QEMU's words: its statuses, and its events. */
  readonly status: MigrationStatus.MigrationStatus
  /** The same in the shape of QEMU's `query-migrate`. */
  readonly statistics: Statistics.Recorder
  /** Says what is to be moved, in front of `ram`; `live`: while somebody writes to it. The operations of `Migration` call it. */
  readonly begin: (
    blocks: ReadonlyArray<Shape>,
    options?: { readonly live?: boolean | undefined }
  ) => Effect.Effect<void>
  /**
   * Says that another round begins, with so many bytes that are to be handled once more. Operations that look themselves at what
   * is dirty do so; of a sender that has a monitor, whoever asks that does.
   */
  readonly round: (bytes: number) => Effect.Effect<void>
  /** Says what begins now. The operations of `Migration` call it. */
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

/** QEMU knows no destination that waits for its device state, or was cancelled. */
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
  /** An operation that ends before it has begun to set up changes no status. */
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
 * Makes a `Progress` that waits for its migration: a save, a conversion, or something that is sent.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<Progress> = makeFor("source", onSource)

/**
 * The same for a restore, or something that is received: `status` goes the way of QEMU's destinations.
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const makeDestination: Effect.Effect<Progress> = makeFor("destination", onDestination)
