import type * as Effect from "effect/Effect"
import type { LastStep, MachineHeader } from "../../snapshot/SnapshotTarget.ts"

/**
 * What happens between the steps of receiving a machine.
 *
 * @category models
 * @since 0.1.0
 */
export interface Hooks<in A> {
  /** Announces a step before it begins. */
  readonly enter: (step: "ram" | "device" | "sync", machine: MachineHeader) => Effect.Effect<void>
  /** Runs when everything has arrived and is whole, before it is made durable. Default: nothing. */
  readonly onReceived?: Effect.Effect<void> | undefined
  /**
   * Called right after the target's commit: whatever becomes of the sender from now on, it is told that all is well. `false`
   * withholds that answer, and waits for the interruption that is on its way. Default: `true`.
   */
  readonly onCommitted?: ((value: A) => boolean) | undefined
  /** Runs the target's last step: where that has succeeded, the sender is told so, even after an interruption. */
  readonly last?: LastStep | undefined
}
