/**
 * The status of a migration, in QEMU's terms, and its possible transitions.
 *
 * ```text
 *   source        none ─▶ setup ─▶ active ──▶ pre-switchover ──▶ device ──▶ completed
 *                           │        │              │               │           │
 *                           │        └──────────────┼───────────────┤           │
 *                           ▼                       ▼               ▼           │
 *                         failed ◀─ failing    cancelling ─▶ cancelled          │
 *                           │                                   │               │
 *                           └──────── a new migration: setup ◀──┴───────────────┘
 *
 *   destination   none ─▶ setup ─▶ active ─▶ completed
 *                           └────────┴─────▶ failed
 * ```
 *
 * The tables also have the transitions of postcopy, COLO and unplugging, and those of QEMU 8.1 to 11: before 10.0 a
 * source went from `active` directly to `completed`; since 11.0 it reaches `failed` through `failing`.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { TaggedError } from "../ram/TaggedError.ts"

/**
 * QEMU's `MigrationStatus`, up to version 11.
 *
 * - `none`: not started
 * - `setup`: connecting, and writing the first records
 * - `active`: moving RAM; the guest may run
 * - `pre-switchover`: the guest is stopped; waiting for `migrate-continue`
 * - `device`: the guest is stopped; moving the rest of RAM and the device state
 * - `completed`, `failed`, `cancelled`: finished
 * - `cancelling`, `failing`: cleaning up before that
 *
 * @stability stable
 * @category schemas
 * @since 0.1.0
 */
export const Status = Schema.Literals([
  "none",
  "setup",
  "cancelling",
  "cancelled",
  "active",
  "postcopy-device",
  "postcopy-active",
  "postcopy-paused",
  "postcopy-recover-setup",
  "postcopy-recover",
  "completed",
  "failing",
  "failed",
  "colo",
  "pre-switchover",
  "device",
  "wait-unplug"
])

/**
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Status = typeof Status.Type

/**
 * The side of a migration.
 *
 * @stability stable
 * @category schemas
 * @since 0.1.0
 */
export const Role = Schema.Literals(["source", "destination"])

/**
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Role = typeof Role.Type

/** Possible failures and cancellations until a source is done. */
const giveUp = ["cancelling", "failing", "failed"] as const

type Table = Readonly<Record<Status, ReadonlyArray<Status>>>

const source: Table = {
  none: ["setup"],
  setup: ["wait-unplug", "active", ...giveUp],
  "wait-unplug": ["active", ...giveUp],
  active: ["pre-switchover", "device", "completed", "postcopy-device", "postcopy-active", "colo", ...giveUp],
  "pre-switchover": ["device", ...giveUp],
  device: ["completed", "postcopy-device", "postcopy-active", "colo", ...giveUp],
  "postcopy-device": ["postcopy-active", ...giveUp],
  "postcopy-active": ["completed", "postcopy-paused", ...giveUp],
  "postcopy-paused": ["postcopy-recover-setup", "postcopy-recover", ...giveUp],
  "postcopy-recover-setup": ["postcopy-recover", "postcopy-paused", ...giveUp],
  "postcopy-recover": ["postcopy-active", "postcopy-paused", ...giveUp],
  colo: ["completed", ...giveUp],
  cancelling: ["cancelled"],
  failing: ["failed"],
  cancelled: ["setup"],
  failed: ["setup"],
  completed: ["setup"]
}

const destination: Table = {
  none: ["setup"],
  setup: ["active", "failing", "failed"],
  active: ["completed", "postcopy-active", "colo", "failing", "failed"],
  "postcopy-active": ["completed", "postcopy-paused", "failing", "failed"],
  "postcopy-paused": ["postcopy-recover", "failing", "failed"],
  "postcopy-recover": ["postcopy-active", "postcopy-paused", "failing", "failed"],
  colo: ["completed", "failing", "failed"],
  failing: ["failed"],
  completed: [],
  failed: [],
  cancelling: [],
  cancelled: [],
  "postcopy-device": [],
  "postcopy-recover-setup": [],
  "pre-switchover": [],
  device: [],
  "wait-unplug": []
}

const tables: Readonly<Record<Role, Table>> = { source, destination }

/**
 * The statuses that can follow a status. A destination migrates once; a source can start again.
 *
 * **Example** (The successors of a cancelled migration)
 *
 * ```ts
 * import { MigrationStatus } from "effect-multifd"
 *
 * MigrationStatus.successors("source", "cancelling") // => ["cancelled"]
 * ```
 *
 * @stability stable
 * @category getters
 * @since 0.1.0
 */
export const successors = (role: Role, from: Status): ReadonlyArray<Status> => tables[role][from]

const known: ReadonlySet<string> = new Set(Status.literals)

/**
 * `true` if this version knows the status. A newer QEMU may have others.
 *
 * @stability stable
 * @category guards
 * @since 0.1.0
 */
export const isKnown = (status: string): status is Status => known.has(status)

const finals: ReadonlySet<string> = new Set<Status>(["completed", "failed", "cancelled"])

/**
 * `true` if nothing follows until a new migration starts: `completed`, `failed` or `cancelled`.
 *
 * @stability stable
 * @category guards
 * @since 0.1.0
 */
export const isFinal = (status: string): boolean => finals.has(status)

/**
 * `true` if a migration is in progress: started and not finished. An unknown status counts as in progress.
 *
 * @stability stable
 * @category guards
 * @since 0.1.0
 */
export const isRunning = (status: string): boolean => status !== "none" && !isFinal(status)

/**
 * An attempt to change to a status that cannot follow the current one. Nothing was changed. This is a bug in the
 * program that drives the migration. Exit code 1.
 *
 * @stability stable
 * @category errors
 * @since 0.1.0
 */
export class IllegalTransitionError extends TaggedError<IllegalTransitionError>()("IllegalTransitionError", {
  role: Role,
  from: Status,
  to: Status
}) {
  override readonly [Runtime.errorExitCode] = 1
  override get message(): string {
    const allowed = successors(this.role, this.from)
    const expected = allowed.length === 0 ? "no other status" : allowed.join(", ")
    return `status of a migration's ${this.role}: expected ${expected} after ${this.from}, found ${this.to}`
  }
}

/**
 * An event, as QEMU's events: a new status, or the number of another dirty sync.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Event =
  { readonly event: "MIGRATION"; readonly status: Status } | { readonly event: "MIGRATION_PASS"; readonly pass: number }

/**
 * The times at which the statuses of a migration were last entered, in milliseconds of the clock. Statuses not entered
 * are missing.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type Entered = Readonly<Partial<Record<Status, number>>>

/**
 * The status of one side of a migration, and its changes.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface MigrationStatus {
  readonly role: Role
  /** The current status. */
  readonly current: Effect.Effect<Status>
  /** The current status, followed by each new one. Endless. */
  readonly changes: Stream.Stream<Status>
  /** The past events, at most the last 64, followed by the future ones. Endless. */
  readonly events: Stream.Stream<Event>
  /** The time at which each status was entered since `setup`, in milliseconds of the clock. */
  readonly entered: Effect.Effect<Entered>
  /** Changes to another status; the current one has no effect. */
  readonly enter: (to: Status) => Effect.Effect<void, IllegalTransitionError>
  /** Counts another pass over the dirty pages and returns its number, starting at 1. `setup` restarts the count. */
  readonly pass: Effect.Effect<number>
}

/** More events than an average migration has, so that a subscriber need not come first. */
const REPLAYED_EVENTS = 64

/**
 * Makes the status of a migration that has not started: `none`.
 *
 * **Example** (Printing events)
 *
 * ```ts
 * import * as Console from "effect/Console"
 * import * as Effect from "effect/Effect"
 * import * as Stream from "effect/Stream"
 * import { MigrationStatus } from "effect-multifd"
 *
 * export const program = Effect.gen(function* () {
 *   const status = yield* MigrationStatus.make("source")
 *   yield* Effect.forkChild(Stream.runForEach(status.events, (event) => Console.log(event)))
 *   yield* status.enter("setup")
 *   yield* status.enter("active")
 *   return yield* status.enter("none") // fails with IllegalTransitionError
 * })
 * ```
 *
 * @stability stable
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (role: Role): Effect.fn.Return<MigrationStatus> {
  const ref = yield* SubscriptionRef.make<Status>("none")
  const events = yield* PubSub.unbounded<Event>({ replay: REPLAYED_EVENTS })
  const lock = yield* Semaphore.make(1)
  let passes = 0
  let entered: Entered = {}
  const enter = Effect.fnUntraced(function* (to: Status): Effect.fn.Return<void, IllegalTransitionError> {
    const from = yield* SubscriptionRef.get(ref)
    if (from === to) return
    if (!successors(role, from).includes(to)) return yield* new IllegalTransitionError({ role, from, to })
    if (to === "setup") passes = 0
    const now = yield* Clock.currentTimeMillis
    entered = { ...(to === "setup" ? {} : entered), [to]: now }
    yield* SubscriptionRef.set(ref, to)
    yield* PubSub.publish(events, { event: "MIGRATION", status: to })
  })
  return {
    role,
    current: SubscriptionRef.get(ref),
    changes: SubscriptionRef.changes(ref),
    events: Stream.fromPubSub(events),
    entered: Effect.sync(() => entered),
    enter: (to) => Effect.uninterruptible(lock.withPermit(enter(to))),
    pass: Effect.suspend(() => {
      const pass = ++passes
      return Effect.as(PubSub.publish(events, { event: "MIGRATION_PASS", pass }), pass)
    })
  }
})
