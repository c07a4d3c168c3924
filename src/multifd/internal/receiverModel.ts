import type * as Effect from "effect/Effect"
import type { LastStep, MachineHeader } from "../../snapshot/SnapshotTarget.ts"

/**
 * Hooks between the steps of receiving a machine.
 *
 * @category models
 * @since 0.1.0
 */
export interface Hooks<in A> {
  /** Announces a step before it begins. */
  readonly enter: (step: "ram" | "device" | "sync", machine: MachineHeader) => Effect.Effect<void>
  /** Runs when everything has arrived and is complete, before it is made durable. Default: nothing. */
  readonly onReceived?: Effect.Effect<void> | undefined
  /**
   * Called once the target is complete, before the sender is told. Return `false` to withhold the answer: an
   * interruption is pending. Default: `true`.
   */
  readonly onCommitted?: ((value: A) => boolean) | undefined
  /** Runs the target's last step. If that succeeded, the sender is told so, even after an interruption. */
  readonly last?: LastStep | undefined
}
