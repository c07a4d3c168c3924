/**
 * The destination of a machine: an image file, memory of this process, or anything else that can take pages and state.
 *
 * Each step returns the next, so that none can come too early or twice. Leaving the scope before `commit` has succeeded
 * aborts: the old content is then untouched, as far as the target promises it.
 *
 * ```text
 *   SnapshotTarget ── begin ──▶ RamWriter ── endRam ──▶ StateWriter ── finish ──▶ Prepared ── sync ──▶ Durable ── commit ──▶ A
 *                                 │ pages, in any order    │ device state, end,      │ complete            │ durable,
 *                                 │ through channels       │ description, in order   │ and invisible       │ invisible
 *                                 │ or sinks
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Finding } from "../format/Finding.ts"
import type { ImageNotes } from "../format/seal/ImageNotes.ts"
import type { Configuration } from "../format/stream/MigrationStream.ts"
import type { Problem } from "../ram/Problem.ts"
import type { Shape, Storage } from "../ram/RamBlock.ts"
import type { Channel } from "../transfer/Channel.ts"
import type { PageSink } from "../transfer/PageSink.ts"
import type { RateLimit } from "../transfer/RateLimit.ts"
import type { TransferCounters } from "../transfer/TransferCounters.ts"
import type { ByteSource } from "./ByteSource.ts"
import type { SourceBlock } from "./SnapshotSource.ts"

/**
 * The facts about a machine before its first page.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface MachineHeader {
  /** `undefined` if the sender leaves it out (`send-configuration=off`). */
  readonly configuration: Configuration | undefined
  /** Commands and device sections between the configuration and RAM's START. */
  readonly prelude: Uint8Array
  readonly ramSectionId: number
  /** The guest's UUID, 16 bytes, zeros if it has none; `undefined`: unknown. */
  readonly uuid?: Uint8Array | undefined
  /** Facts about the machine besides its stream, such as lost pages. They override `uuid`. Default: none. */
  readonly notes?: ImageNotes | undefined
  /** All blocks, including those without pages (`ignored`). */
  readonly blocks: ReadonlyArray<Shape & Pick<SourceBlock, "address" | "ignored">>
}

/**
 * The part of a stream between RAM and the device state.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface RamEnd {
  /** Device sections between RAM's START and END. */
  readonly early: Uint8Array
  /** `true` if SWITCHOVER_START precedes RAM's END. */
  readonly switchoverStart: boolean
  /** `true` if sections end with a footer. */
  readonly footers: boolean
  /** The marks of the SYNCs of the source's channels; `undefined`: there were none. */
  readonly marks?: ImageNotes["marks"] | undefined
}

/**
 * A range of the bytes that a `StateWriter` has taken.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface StateRange {
  readonly position: number
  readonly length: number
}

/**
 * The parts after RAM. Positions count from the first byte written.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface StateLayout {
  /** The device sections, without the end of the stream. */
  readonly deviceState: StateRange
  /** The JSON text; its length is 0 if there is none. */
  readonly description: StateRange
}

/**
 * Options of moving pages into a target.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Transfer {
  readonly counters: TransferCounters
  /** Largest gap of zero pages between two runs that is written rather than skipped. */
  readonly coalescePages: number
}

/**
 * A part of a file that a target writes to, or that its commit replaces.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Place extends Omit<Storage, "file"> {
  /** As in `RamBlock.Storage`; `undefined`: the file does not exist yet. */
  readonly file: string | undefined
  /** `true`: the file itself is written. `false`: another file gets its name when the target is complete. */
  readonly inPlace: boolean
}

/**
 * A destination for one machine. Its value `A` is the result of a successful operation, such as the id of a snapshot.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface SnapshotTarget<out A, out E = never> {
  /** The location for errors and spans: a path, or the address of a store. */
  readonly name: string
  /** The files that it writes to. An operation that reads the same bytes is refused. Default: none. */
  readonly places?: ReadonlyArray<Place> | undefined
  /** `true`: the data after RAM is kept in memory, so that `maxHeld` limits it on a receive. Default `false`. */
  readonly holdsState?: boolean | undefined
  /** Reasons to refuse a source with these notes, one sentence each, before anything is touched. Default: none. */
  readonly problems?: ((notes: ImageNotes) => ReadonlyArray<Problem>) | undefined
  /**
   * Accepts a machine, or refuses it with a `Finding` if it does not match. The old content is untouched until then.
   */
  readonly begin: (
    machine: MachineHeader,
    transfer: Transfer
  ) => Effect.Effect<RamWriter<A, E>, E | Finding, Scope.Scope>
}

/**
 * A target that takes pages.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface RamWriter<out A, out E = never> {
  /** Opens a sink for each block with pages, for pages that arrive. */
  readonly openSinks: Effect.Effect<ReadonlyMap<string, PageSink<E>>, E>
  /** Opens channel `id` for pages that are fetched. Absent: batches go through the sinks. */
  readonly saveChannel?:
    ((id: number, rateLimit: RateLimit | undefined) => Effect.Effect<Channel<E>, E, Scope.Scope>) | undefined
  /** Runs the effect that writes pages, concurrently with the target's own work. */
  readonly during: <B, E2, R>(ram: Effect.Effect<B, E2, R>) => Effect.Effect<B, E | E2, R>
  /** Ends RAM: no page is written after this. */
  readonly endRam: (end: RamEnd) => Effect.Effect<StateWriter<A, E>, E>
}

/**
 * A target that takes the data after RAM.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface StateWriter<out A, out E = never> {
  /**
   * Takes the next bytes: device sections, the end of the stream, the description. They may change after it has ended.
   */
  readonly write: (bytes: Uint8Array) => Effect.Effect<void, E>
  /** The bytes written so far. */
  readonly written: Effect.Effect<ByteSource<E>>
  /** Completes everything except durability. Nothing is written after this. */
  readonly finish: (layout: StateLayout) => Effect.Effect<Prepared<A, E>, E>
}

/**
 * A target that is complete, but neither durable nor visible.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Prepared<out A, out E = never> {
  /** Makes everything durable that `commit` makes visible. */
  readonly sync: Effect.Effect<Durable<A, E>, E>
}

/**
 * A target that one last step makes visible.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Durable<out A, out E = never> {
  /** The step that makes the machine exist. It is short: an interruption comes before it, or is too late. */
  readonly commit: Effect.Effect<A, E>
}

/**
 * Runs the step that makes a target exist. An interruption either comes before it, so that the step does not begin, or
 * is too late.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type LastStep<A> = <E>(step: Effect.Effect<A, E>) => Effect.Effect<A, E>

/**
 * The work that fills a target, and hooks between its steps.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface Filling<A, E, E2, R> {
  readonly machine: MachineHeader
  readonly transfer: Transfer
  /** Writes all pages. */
  readonly ram: (writer: RamWriter<A, E>) => Effect.Effect<RamEnd, E2, R>
  /** Writes the data after RAM. */
  readonly state: (writer: StateWriter<A, E>) => Effect.Effect<StateLayout, E2, R>
  /** Announces a step before it begins. */
  readonly enter: (step: "ram" | "device" | "sync") => Effect.Effect<void>
  /** Runs when everything has arrived, before it is made durable. Default: nothing. */
  readonly onComplete?: Effect.Effect<void> | undefined
  /** Runs the last step. Default: unchanged. */
  readonly last?: LastStep<A> | undefined
  /** Wraps each step of the target up to the device state. Default: nothing. */
  readonly around?: (<B, E3, R3>(step: Effect.Effect<B, E3, R3>) => Effect.Effect<B, E3, R3>) | undefined
  /** Wraps everything from `finish` on. Default: nothing. */
  readonly completing?: ((complete: Effect.Effect<A, E | E2, R>) => Effect.Effect<A, E | E2, R>) | undefined
}

/**
 * Fills a target: the single place that decides the order in which an image, a store or memory becomes durable.
 *
 * ```text
 *   begin   the target accepts the machine
 *   ram     pages, in any order; the target works beside it
 *   device  endRam; device state, end of the stream, description; finish
 *   sync    onComplete; sync; commit
 * ```
 *
 * **Failure effect**: that of the target's step.
 *
 * @stability unstable
 * @category running
 * @since 0.1.0
 */
export const fill = Effect.fnUntraced(function* <A, E, E2, R>(
  target: SnapshotTarget<A, E>,
  filling: Filling<A, E, E2, R>
): Effect.fn.Return<A, E | E2 | Finding, R | Scope.Scope> {
  const { enter, last = (step) => step, machine, transfer } = filling
  const { around = (step) => step, completing = (complete) => complete, onComplete = Effect.void } = filling
  const ram = yield* around(target.begin(machine, transfer))
  yield* enter("ram")
  const end = yield* ram.during(filling.ram(ram))
  yield* enter("device")
  const state = yield* around(ram.endRam(end))
  const layout = yield* filling.state(state)
  return yield* completing(
    Effect.gen(function* () {
      const { sync } = yield* state.finish(layout)
      yield* onComplete
      yield* enter("sync")
      const { commit } = yield* sync
      return yield* last(commit)
    })
  )
})

/**
 * `true` for a target, as opposed to the name of one.
 *
 * @stability unstable
 * @category guards
 * @since 0.1.0
 */
export const isSnapshotTarget = <A, E>(u: SnapshotTarget<A, E> | string | object): u is SnapshotTarget<A, E> =>
  typeof u === "object" && "begin" in u && typeof u.begin === "function"

/**
 * A target with more facts about its machine: `notes` override those of the source.
 *
 * @stability unstable
 * @category combinators
 * @since 0.1.0
 */
export const withNotes = <A, E>(target: SnapshotTarget<A, E>, notes: ImageNotes | undefined): SnapshotTarget<A, E> => ({
  name: target.name,
  places: target.places,
  holdsState: target.holdsState,
  problems: target.problems?.bind(target),
  begin: (machine, transfer) => target.begin({ ...machine, notes: { ...machine.notes, ...notes } }, transfer)
})
