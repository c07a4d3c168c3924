/**
 * Saving and sending memory while somebody writes to it.
 *
 * ```text
 *   writer    runs ───────────────────────────────────────────────────── │ stopped ───────────────────── │ runs on, or not
 *
 *   rounds    full scan │ dirty pages │ dirty pages │ … │ dirty pages    │        last pages │
 *                       ▲             ▲             ▲   ▲                ▲        ▲          ▲
 *   between             └── sync of all channels, ──┘   │                │        │          └ sync; `leave: "running"`:
 *                           a look at what is dirty     │                │        │            resume
 *                                                       │                │        └ look; machine state
 *                       few enough, or the last round ──┘                └ pause; beforeSwitchover
 * ```
 *
 * What is moved in the end is the memory as it was when `pause` was done.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { DirtyTracker } from "../ram/DirtyTracker.ts"
import type { MachineState } from "./MachineState.ts"

/**
 * A way to slow the writer down when it writes faster than pages can be moved: QEMU's `auto-converge`.
 *
 * **Details**
 *
 * It begins to slow down when in two rounds more was written than `trigger` percent of what was moved meanwhile, and slows
 * down further after each two more.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Throttle {
  /** Takes so many percent of its time from the writer; 0 gives all of it back. It is 0 again when the rounds are over. */
  readonly set: (percentage: number) => Effect.Effect<void>
  /** Percent of the bytes moved in a round, 1 to 100: QEMU's `throttle-trigger-threshold`. Default 50. */
  readonly trigger?: number | undefined
  /** The first percentage, 1 to 99: `cpu-throttle-initial`. Default 20. */
  readonly initial?: number | undefined
  /** What each further step adds, 1 to 99: `cpu-throttle-increment`. Default 10. */
  readonly increment?: number | undefined
  /** The last percentage, `initial` to 99: `max-cpu-throttle`. Default 99. */
  readonly maximum?: number | undefined
}

/**
 * The parts of the machine's state that change while it runs.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export type RunningState<E = never> = Pick<MachineState<E>, "deviceState" | "description">

/**
 * How to move memory that changes meanwhile. `E` is what stopping the writer and asking for its state can fail with.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Options<out E = never> {
  /** Finds the pages that have changed. */
  readonly tracker: DirtyTracker
  /**
   * Stops the writer. When it is done, nobody writes to the memory any more, and everything that was written has been
   * marked where marks are what the tracker goes by.
   */
  readonly pause: Effect.Effect<void, E>
  /**
   * Lets the writer go on: when something fails, or is interrupted, after `pause` has begun (it may have done nothing yet
   * then), and in the course of events where `leave` says so. Called at most once. Default: nothing.
   */
  readonly resume?: Effect.Effect<void> | undefined
  /**
   * What becomes of the writer when all has gone well. `paused`, the default: it stays stopped, whoever asked for the
   * migration says when it goes on. `running`: it goes on as soon as the last page has been moved, which is before the
   * whole has succeeded; so the downtime is as short as can be.
   */
  readonly leave?: "paused" | "running" | undefined
  /**
   * What stands behind RAM, asked for when the writer has stopped; it takes the place of that part of the machine's state
   * that was given in the beginning. An effect that looks at the machine when it is run; what it gives must not change any
   * more when the writer goes on. Default: what was given.
   */
  readonly machineState?: Effect.Effect<RunningState<E>, E> | undefined
  /**
   * Waited for when the writer has stopped, before the last pages are moved: QEMU's `pause-before-switchover`. When it
   * succeeds the migration goes on, as with `migrate-continue`. Default: nothing is waited for.
   */
  readonly beforeSwitchover?: Effect.Effect<void, E> | undefined
  /** Slows the writer down when it is too fast. Default: nothing does. */
  readonly throttle?: Throttle | undefined
  /**
   * Milliseconds for which the writer may stand still, 0 to 2,000,000. When the pages that are dirty could be moved in this
   * time, at the rate of the last rounds, it is stopped. A `maxBandwidth` holds for the last pages as well. Default 300.
   */
  readonly downtimeLimit?: number | undefined
  /**
   * Rounds while the writer runs, the full scan included, at least 1. After that it is stopped, however long the rest will
   * take. Default 30.
   */
  readonly maxRounds?: number | undefined
}
