import type * as Effect from "effect/Effect"
import type { LastStep, MachineHeader } from "../../snapshot/SnapshotTarget.ts"

/**
 * Hooks between the steps of receiving a machine.
 *
 * @category models
 * @since 0.1.0
 */
export interface Hooks<in out A> {
  /** Announces a step before it begins. */
  readonly enter: (step: "ram" | "device" | "sync", machine: MachineHeader) => Effect.Effect<void>
  /** Runs when everything has arrived and is complete, before it is made durable. Default: nothing. */
  readonly onReceived?: Effect.Effect<void> | undefined
  /**
   * Runs the step that makes the target exist. The sender then gets the success message, even after an interruption.
   */
  readonly last?: LastStep<A> | undefined
}
