import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as Job from "../../transfer/Job.ts"
import type * as RamBlock from "../../ram/RamBlock.ts"
import * as RamScanner from "../../ram/RamScanner.ts"
import type * as Live from "../../snapshot/Live.ts"
import type * as MachineState from "../../snapshot/MachineState.ts"
import type { Progress } from "../Progress.ts"
import * as Rounds from "./rounds.ts"

/**
 * The machine to move.
 *
 * @internal
 */
export interface Options<out E> {
  readonly blocks: ReadonlyArray<RamBlock.Readable<E>>
  readonly machine: MachineState.MachineState<E>
  readonly live?: Live.Options<E> | undefined
  readonly batchSize: number
  /** Clean pages between dirty ones that are moved along; see `RamScanner.scanDirty`. */
  readonly coalescePages: number
  readonly progress: Progress
}

/**
 * The jobs of a migration, and the machine state at their end.
 *
 * @internal
 */
export interface Source<out E> {
  readonly jobs: Stream.Stream<Job.Job<E>, E>
  readonly machine: () => MachineState.MachineState<E>
}

/**
 * Constant memory takes one round; memory that changes in the meantime takes as many as necessary.
 *
 * @internal
 */
export const make = Effect.fnUntraced(function* <E>(
  options: Options<E>
): Effect.fn.Return<Source<E>, RamBlock.RamBlockError, Scope.Scope> {
  const { batchSize, blocks, live, machine, progress } = options
  yield* progress.begin(blocks, { live: live !== undefined })
  if (live === undefined) {
    return { jobs: Job.round(RamScanner.scan(blocks, { batchSize })), machine: () => machine }
  }
  const { counters, statistics, status } = progress
  const rounds = yield* Rounds.make({ ...options, live, counters, statistics, status })
  return { jobs: rounds.jobs, machine: () => ({ ...machine, ...rounds.machineState() }) }
})
