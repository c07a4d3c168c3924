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
import * as TransferCounters from "../multifd/TransferCounters.ts"

/**
 * What a migration is doing.
 *
 * - `waiting`: nothing has begun;
 * - `setup`: opening and checking both ends, before any page moves;
 * - `ram`: pages move over the channels;
 * - `device`: bitmaps, device state and description are written;
 * - `sync`: what was written is made durable and given its final name;
 * - `completed` and `failed`: over.
 *
 * @category models
 * @since 0.1.0
 */
export type Phase = "waiting" | "setup" | "ram" | "device" | "sync" | "completed" | "failed"

/**
 * Milliseconds spent in each phase that takes time; see `Phase` for what each begins and ends with.
 *
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
 * @category models
 * @since 0.1.0
 */
export interface Snapshot {
  readonly phase: Phase
  /** Bytes of RAM that the migration covers, zero pages included. */
  readonly bytesTotal: number
  /** Bytes of RAM handled so far, zero pages included. */
  readonly bytesDone: number
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
  /** Milliseconds until all RAM is handled at this rate; `undefined` until there is a rate. */
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
  /** Says what begins now. The operations of `Migration` call it; `bytesTotal` is known from `ram` on. */
  readonly enter: (phase: Phase, bytesTotal?: number | undefined) => Effect.Effect<void>
}

/**
 * Makes a `Progress` that waits for its migration.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<Progress> = Effect.gen(function* () {
  const counters = TransferCounters.make()
  const ended = yield* Deferred.make<void>()
  const spent = { setup: 0, ram: 0, device: 0, sync: 0 }
  let phase: Phase = "waiting"
  let since = 0
  let bytesTotal = 0

  const timesAt = (now: number): PhaseMillis => (phase in spent ? { ...spent, [phase]: now - since } : { ...spent })

  const at = (now: number): Snapshot => {
    const phaseMillis = timesAt(now)
    const bytesDone = counters.bytesHandled
    const bytesPerSecond = phaseMillis.ram > 0 ? (bytesDone * 1000) / phaseMillis.ram : 0
    return {
      phase,
      bytesTotal,
      bytesDone,
      pages: counters.normalPages + counters.zeroPages,
      normalPages: counters.normalPages,
      zeroPages: counters.zeroPages,
      bytesTransferred: counters.bytes,
      phaseMillis,
      bytesPerSecond,
      etaMillis: bytesPerSecond > 0 ? ((bytesTotal - bytesDone) * 1000) / bytesPerSecond : undefined
    }
  }
  const snapshot = Effect.map(Clock.currentTimeMillis, at)

  return {
    counters,
    snapshot,
    changes: (interval) =>
      Stream.fromEffectSchedule(snapshot, Schedule.spaced(interval)).pipe(
        Stream.interruptWhen(Deferred.await(ended)),
        Stream.concat(Stream.fromEffect(snapshot))
      ),
    enter: Effect.fnUntraced(function* (next, total) {
      const now = yield* Clock.currentTimeMillis
      Object.assign(spent, timesAt(now))
      phase = next
      since = now
      bytesTotal = total ?? bytesTotal
      if (next === "completed" || next === "failed") yield* Deferred.succeed(ended, undefined)
    })
  }
})
