/**
 * Saving and sending memory while the guest writes to it.
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
 * The result is the memory as it was when `pause` had completed.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { DirtyTracker } from "../ram/DirtyTracker.ts"
import type { MachineState } from "./MachineState.ts"

/**
 * Slows down a guest that writes faster than pages can be moved: QEMU's `auto-converge`.
 *
 * **Details**
 *
 * Throttling starts after two rounds in which the guest wrote more than `trigger` percent of the bytes moved in the
 * round. It increases after each two more.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Throttle {
  /** Throttles the guest by `percentage` percent; 0 removes the throttle. Reset to 0 after the last round. */
  readonly set: (percentage: number) => Effect.Effect<void>
  /** Percent of the bytes moved in a round, 1 to 100: QEMU's `throttle-trigger-threshold`. Default 50. */
  readonly trigger?: number | undefined
  /** The first percentage, 1 to 99: QEMU's `cpu-throttle-initial`. Default 20. */
  readonly initial?: number | undefined
  /** The increment of each further step, 1 to 99: `cpu-throttle-increment`. Default 10. */
  readonly increment?: number | undefined
  /** The highest percentage, `initial` to 99: `max-cpu-throttle`. Default 99. */
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
 * Options of moving memory that changes in the process. `E` is the error of stopping the guest and of reading its
 * state.
 *
 * @stability stable
 * @category models
 * @since 0.1.0
 */
export interface Options<out E = never> {
  /** Finds the changed pages. */
  readonly tracker: DirtyTracker
  /**
   * Stops the guest. Afterwards nothing writes to the memory any longer, and with a marking tracker every write has
   * been marked.
   */
  readonly pause: Effect.Effect<void, E>
  /**
   * Resumes the guest: after a failure or an interruption once `pause` has begun (it may have had no effect yet), and
   * on success if `leave` is `running`. Called at most once. Default: nothing.
   */
  readonly resume?: Effect.Effect<void> | undefined
  /**
   * The guest after a success. `paused` (default): leave it stopped until the caller resumes it. `running`:
   * resume it as soon as the last page has been moved, which is before the whole migration has succeeded; this gives
   * the shortest downtime.
   */
  readonly leave?: "paused" | "running" | undefined
  /**
   * Reads the state after RAM when the guest has stopped; it replaces that part of the machine state given at the
   * start. The effect reads the machine when it runs; its result must not change when the guest resumes. Default: the
   * state given at the start.
   */
  readonly machineState?: Effect.Effect<RunningState<E>, E> | undefined
  /**
   * Awaited when the guest has stopped, before the last pages are moved: QEMU's `pause-before-switchover`. When it
   * succeeds, the migration continues, as with `migrate-continue`. Default: no wait.
   */
  readonly beforeSwitchover?: Effect.Effect<void, E> | undefined
  /** Slows down a guest that writes too fast. Default: none. */
  readonly throttle?: Throttle | undefined
  /**
   * Longest downtime of the guest in milliseconds, 0 to 2,000,000. The guest is stopped when the remaining dirty pages
   * can be moved in this time at the rate of the last rounds. A `maxBandwidth` applies to the last pages as well.
   * Default 300.
   */
  readonly downtimeLimit?: number | undefined
  /**
   * Most rounds while the guest runs, including the full scan, at least 1. Then the guest is stopped, even if the
   * downtime will be longer. Default 30.
   */
  readonly maxRounds?: number | undefined
}
